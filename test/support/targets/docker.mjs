// A double of docker: it speaks as much of its command line and output as a deployment needs. Its engine is the file
// ENGINE: {"containers": [{"id": "…", "service": "…", "command": […]}], "broken": ["service"], "calls": [[…]], "fewest": {}}.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { parse } from 'yaml';

const file = process.env.ENGINE;
const engine = JSON.parse(readFileSync(file, 'utf8'));
const args = process.argv.slice(2);
engine.calls.push(args);

function end(code, text) {
  writeFileSync(file, JSON.stringify(engine));
  (code === 0 ? process.stdout : process.stderr).write(`${text}\n`);
  process.exit(code);
}
const of = (service) => engine.containers.filter((one) => one.service === service);

if (args[0] === 'stop' || args[0] === 'rm') {
  const id = args.at(-1);
  const found = engine.containers.find((one) => one.id === id);
  if (found === undefined) end(1, `Error response from daemon: No such container: ${id}`);
  found.stopped = true;
  if (args[0] === 'rm') engine.containers = engine.containers.filter((one) => one !== found);
  engine.fewest[found.service] = Math.min(
    engine.fewest[found.service] ?? 99,
    of(found.service).filter((one) => !one.stopped).length,
  );
  end(0, id);
}
const service = args.at(-1);
if (args.includes('ps'))
  end(
    0,
    of(service)
      .map(({ id }) => id)
      .join('\n'),
  );
const files = args.flatMap((arg, index) => (arg === '--file' ? [args[index + 1]] : []));
const { services } = parse(readFileSync(files[1], 'utf8'));
if (services[service] === undefined) end(1, `no such service: ${service}`);
const wanted = Number(args[args.indexOf('--scale') + 1].split('=')[1]);
while (of(service).length < wanted) {
  const id = createHash('sha256').update(`${engine.calls.length} ${engine.containers.length}`).digest('hex');
  engine.containers.push({ id, service, command: services[service].command });
}
if (engine.broken.includes(service)) end(1, `container downspout-${service}-3 is unhealthy`);
end(0, ` Container downspout-${service}-1  Healthy`);
