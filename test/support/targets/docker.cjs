// A double of docker: it speaks as much of its command line and output as a deployment needs. Its engine is
// {"containers": [{"id": "…", "project": "…", "service": "…", "command": […], "labels": {…}}], "images": {"name": "id"}, "broken": ["service"],
// "calls": [[…]], "fewest": {}}.
// A container without a project is of the one that the file names. New containers of a broken service are not healthy; one that has exited stays until it is removed.
const { createHash } = require('node:crypto');
const { existsSync, readFileSync } = require('node:fs');
const path = require('node:path');
const { parse } = require('yaml');
const { end, main } = require('./answering.cjs');

const FILE_PROJECT = 'downspout';
const MADE_OF = 'com.docker.compose.project.config_files';
const said = ({ id, service, command, labels }) =>
  `${id} ${JSON.stringify(command)} ${JSON.stringify({ ...labels, 'com.docker.compose.service': service })}`;
const health = ({ id, isUnhealthy }) => `${id} running ${isUnhealthy ? 'unhealthy' : 'healthy'}`;
const idOf = (text) => createHash('sha256').update(text).digest('hex');

/** As Docker Compose reads a text of its file. */
const filled = (text, variables) =>
  text.replaceAll(/\$\{(\w+):-([^}]*)\}/g, (_, name, otherwise) => variables[name] || otherwise);

/**
 * What is wrong with services, as Docker Compose says it before it does anything. Of a volume in short form, only what begins
 * with a dot, a slash or a tilde is a path; anything else is the name of a volume, and none is defined.
 */
function faultOf(services, folder, variables) {
  for (const [name, { volumes = [], env_file: files = [] }] of Object.entries(services)) {
    const [texts, binds] = [true, false].map((isText) => volumes.filter((one) => (typeof one === 'string') === isText));
    const gone = binds.map(({ source }) => source.replaceAll('$$', '$')).find((source) => !existsSync(source));
    if (gone !== undefined) return `invalid mount config for type "bind": bind source path does not exist: ${gone}`;
    const sources = texts.map((text) => filled(text, variables)).filter((text) => text.includes(':'));
    const named = sources.map((text) => text.split(':')[0]).find((source) => !/^[./~]/.test(source));
    if (named !== undefined) return `service "${name}" refers to undefined volume ${named}: invalid compose project`;
    const lost = files.map((file) => path.resolve(folder, filled(file, variables))).find((file) => !existsSync(file));
    if (lost !== undefined) return `env file ${lost} not found`;
  }
  return null;
}

/** As Docker Compose does, it reads all of docker-compose.yml before it does anything. */
function lackingIn(file, variables) {
  if (file === undefined || !existsSync(file)) return null;
  for (const [, name, message] of readFileSync(file, 'utf8').matchAll(/\$\{(\w+):\?([^}]*)\}/g)) {
    if (!variables[name]) return `required variable ${name} is missing a value: ${message}`;
  }
  return null;
}

/** Ends by throwing. @param args of the command line @param engine is changed @param variables of its environment */
function docker(args, engine, variables) {
  engine.calls.push(args);
  const files = args.flatMap((arg, index) => (arg === '--file' ? [args[index + 1]] : []));
  const defined = files.length === 0 ? {} : parse(readFileSync(files[1], 'utf8')).services;
  const folder = args[args.indexOf('--project-directory') + 1];
  const fault = lackingIn(files[0], variables) ?? faultOf(defined, folder, variables);
  if (fault !== null) end(1, fault);
  const named =
    files.length > 0 && existsSync(files[0]) ? /^name: (\S+)$/m.exec(readFileSync(files[0], 'utf8'))?.[1] : null;
  const project = args.includes('--project-name') ? args[args.indexOf('--project-name') + 1] : (named ?? FILE_PROJECT);
  const isOf = (one) => (one.project ?? FILE_PROJECT) === project;
  const of = (service) => engine.containers.filter((one) => isOf(one) && one.service === service);

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
  if (args[0] === 'restart') end(0, args.slice(1).join('\n'));
  if (args[0] === 'inspect') {
    const ids = args.slice(3);
    const found = engine.containers.filter(({ id }) => ids.includes(id));
    end(0, found.map(args[2].includes('.State') ? health : said).join('\n'));
  }
  if (args[0] === 'pull') {
    engine.images = { ...engine.images, [args[1]]: `sha256:${idOf(args[1])}` };
    end(0, args[1]);
  }
  if (args[0] === 'image') {
    const found = engine.images?.[args.at(-1)];
    if (found === undefined) end(1, `Error: No such image: ${args.at(-1)}`);
    end(0, found);
  }
  // The only list that is of all projects.
  if (args[0] === 'ps') {
    const asked = `{{.ID}} {{.Label "com.docker.compose.service"}} {{.Label "${MADE_OF}"}}`;
    if (args.at(-1) !== asked || !args.includes('--no-trunc')) end(1, 'strict: expected whole ids, and labels');
    end(
      0,
      engine.containers
        .filter(({ exited }) => exited !== true || args.includes('--all'))
        .map(({ id, service, labels }) => `${id} ${service} ${labels?.[MADE_OF] ?? ''}`)
        .join('\n'),
    );
  }
  const service = args.at(-1);
  if (args.includes('rm')) {
    const services = args.slice(args.indexOf('--force') + 1);
    const ends = (one) =>
      isOf(one) && services.includes(one.service) && (args.includes('--stop') || one.exited === true);
    engine.containers = engine.containers.filter((one) => !ends(one));
    end(0, '');
  }
  if (args.includes('ps') && args.includes('--all'))
    end(
      0,
      engine.containers
        .filter(isOf)
        .map(({ id }) => id)
        .join('\n'),
    );
  if (args.includes('ps'))
    end(
      0,
      of(service)
        .filter((one) => one.exited !== true)
        .map(({ id }) => id)
        .join('\n'),
    );
  if (defined[service] === undefined) end(1, `no such service: ${service}`);
  const wanted = Number(args[args.indexOf('--scale') + 1].split('=')[1]);
  for (const one of of(service).filter(({ exited }) => exited === true)) {
    if (of(service).filter(({ exited }) => exited !== true).length < wanted) delete one.exited;
  }
  while (of(service).length < wanted) {
    const id = idOf(`${engine.calls.length} ${engine.containers.length}`);
    const { command } = defined[service];
    const labels = { ...defined[service].labels, [MADE_OF]: files.join(',') };
    engine.containers.push({ id, service, command, labels, ...(project === FILE_PROJECT ? {} : { project }) });
    if (engine.broken.includes(service)) engine.containers.at(-1).isUnhealthy = true;
  }
  if (args.includes('--wait') && of(service).some(({ isUnhealthy }) => isUnhealthy))
    end(1, `container downspout-${service}-3 is unhealthy`);
  end(0, ` Container downspout-${service}-1  Started`);
}

module.exports = docker;
if (require.main === module) main(docker, process.env.ENGINE);
