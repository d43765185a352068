// A double of kubectl: it speaks as much of its command line and output as a deployment needs. Its cluster is the file
// CLUSTER: {"deployments": {"name": ["template", …]}, "broken": ["name"], "unreachable": false, "calls": [[…]]}.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';

const file = process.env.CLUSTER;
const cluster = JSON.parse(readFileSync(file, 'utf8'));
const args = process.argv.slice(2).filter((arg) => !arg.startsWith('--namespace='));
cluster.calls.push(process.argv.slice(2));

function end(code, text) {
  writeFileSync(file, JSON.stringify(cluster));
  (code === 0 ? process.stdout : process.stderr).write(`${text}\n`);
  process.exit(code);
}

/** The Deployments of a Kustomize folder, and of those it is built on. */
function deploymentsOf(folder) {
  const path = join(folder, 'kustomization.yaml');
  if (!existsSync(path)) end(1, `error: unable to find one of 'kustomization.yaml' in directory '${folder}'`);
  const { resources } = parse(readFileSync(path, 'utf8'));
  return resources.flatMap((resource) => {
    if (!resource.endsWith('.yaml')) return deploymentsOf(join(folder, resource));
    const documents = parseAllDocuments(readFileSync(join(folder, resource), 'utf8')).map((one) => one.toJS());
    return documents.filter(({ kind }) => kind === 'Deployment');
  });
}

const [verb, what, name = ''] = args;
if (verb === 'config') end(0, 'a-cluster');
if (cluster.unreachable)
  end(1, 'The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?');
if (verb === 'apply') {
  const folder = args[args.indexOf('-k') + 1];
  // What an overlay changes is a new template too.
  const context = readdirSync(folder)
    .map((entry) => (entry.endsWith('.yaml') ? readFileSync(join(folder, entry), 'utf8') : ''))
    .join();
  const base = readFileSync(
    join(dirname(folder), folder.endsWith('base') ? 'base' : '../base', 'kustomization.yaml'),
    'utf8',
  );
  const lines = deploymentsOf(folder).map((deployment) => {
    const template = JSON.stringify(deployment.spec.template) + context + base;
    const history = (cluster.deployments[deployment.metadata.name] ??= []);
    const line = history.length === 0 ? 'created' : history.at(-1) === template ? 'unchanged' : 'configured';
    if (line !== 'unchanged') history.push(template);
    return `deployment.apps/${deployment.metadata.name} ${line}`;
  });
  end(0, lines.join('\n'));
}
const deployment = name.replace(/^deployment\//, '');
const history = cluster.deployments[deployment];
if (history === undefined) end(1, `Error from server (NotFound): deployments.apps "${deployment}" not found`);
if (what === 'undo') {
  if (history.length < 2) end(1, `error: no rollout history found for deployment "${deployment}"`);
  history.push(history.at(-2));
  cluster.broken = cluster.broken.filter((one) => one !== deployment);
  end(0, `deployment.apps/${deployment} rolled back`);
}
if (cluster.broken.includes(deployment)) end(1, `error: deployment "${deployment}" exceeded its progress deadline`);
end(0, `deployment "${deployment}" successfully rolled out`);
