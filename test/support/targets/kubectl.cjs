// A double of kubectl: it speaks as much of its command line and output as a deployment needs. Its cluster is
// {"deployments": {"name": ["template", …]}, "broken": ["name"], "refused": "kind", "unreachable": false,
// "calls": [[…]]}. What is refused hinders nothing else that is applied.
const { existsSync, readdirSync, readFileSync } = require('node:fs');
const path = require('node:path');
const { parse, parseAllDocuments } = require('yaml');
const { end, main } = require('./answering.cjs');

/** The Deployments of a Kustomize folder, and of those it is built on. */
function deploymentsOf(folder) {
  const file = path.join(folder, 'kustomization.yaml');
  if (!existsSync(file)) end(1, `error: unable to find one of 'kustomization.yaml' in directory '${folder}'`);
  const { resources } = parse(readFileSync(file, 'utf8'));
  return resources.flatMap((resource) => {
    if (!resource.endsWith('.yaml')) return deploymentsOf(path.join(folder, resource));
    const documents = parseAllDocuments(readFileSync(path.join(folder, resource), 'utf8')).map((one) => one.toJS());
    return documents.filter(({ kind }) => kind === 'Deployment');
  });
}

/** Ends by throwing. @param all of the command line @param cluster is changed */
function kubectl(all, cluster) {
  cluster.calls.push(all);
  const args = all.filter((arg) => !arg.startsWith('--namespace='));
  const [verb, what, name = ''] = args;
  if (verb === 'config') end(0, 'a-cluster');
  if (cluster.unreachable)
    end(1, 'The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?');
  if (verb === 'apply') {
    const folder = args[args.indexOf('-k') + 1];
    // What an overlay changes is a new template too.
    const context = readdirSync(folder)
      .map((entry) => (entry.endsWith('.yaml') ? readFileSync(path.join(folder, entry), 'utf8') : ''))
      .join();
    const base = readFileSync(
      path.join(path.dirname(folder), folder.endsWith('base') ? 'base' : '../base', 'kustomization.yaml'),
      'utf8',
    );
    const lines = deploymentsOf(folder).map((deployment) => {
      const template = JSON.stringify(deployment.spec.template) + context + base;
      const history = (cluster.deployments[deployment.metadata.name] ??= []);
      const line = history.length === 0 ? 'created' : history.at(-1) === template ? 'unchanged' : 'configured';
      if (line !== 'unchanged') history.push(template);
      return `deployment.apps/${deployment.metadata.name} ${line}`;
    });
    if (cluster.refused !== undefined) end(1, `error: no matches for kind "${cluster.refused}"`);
    end(0, lines.join('\n'));
  }
  if (verb === 'get' && what === 'replicaset') {
    const lines = Object.entries(cluster.deployments).flatMap(([owner, history]) =>
      history.map((template, index) => `${owner} ${index + 1} ${/"args":(\[[^\]]*\])/.exec(template)?.[1]}`),
    );
    end(0, ['Warning: a warning of the server', ...lines].join('\n'));
  }
  if (verb === 'get') end(0, cluster.deployments[name] === undefined ? '' : `deployment.apps/${name}`);
  if (verb === 'delete' && what === 'scaledobject') end(1, `error: the server doesn't have a resource type "${what}"`);
  if (verb === 'delete' && what === 'pod') end(0, 'pod deleted');
  if (verb === 'delete' && what !== 'deployment') end(0, '');
  if (verb === 'delete') {
    const id = /^--selector=.*downspout\/deployment=(\w+)$/.exec(name)?.[1];
    if (name.startsWith('--selector=')) {
      const stays = ([, history]) => id !== undefined && !history.at(-1).includes(`downspout/deployment: ${id}`);
      cluster.deployments = Object.fromEntries(Object.entries(cluster.deployments).filter(stays));
    } else delete cluster.deployments[name];
    end(0, 'deployment.apps deleted');
  }
  const deployment = name.replace(/^deployment\//, '');
  const history = cluster.deployments[deployment];
  if (history === undefined) end(1, `Error from server (NotFound): deployments.apps "${deployment}" not found`);
  if (what === 'undo') {
    const to = args.find((arg) => arg.startsWith('--to-revision='))?.split('=')[1];
    const template = to === undefined ? history.at(-2) : history[Number(to) - 1];
    if (template === undefined) end(1, `error: unable to find specified revision ${to} in history`);
    history.push(template);
    cluster.broken = cluster.broken.filter((one) => one !== deployment);
    end(0, `deployment.apps/${deployment} rolled back`);
  }
  if (cluster.broken.includes(deployment)) end(1, `error: deployment "${deployment}" exceeded its progress deadline`);
  end(0, `deployment "${deployment}" successfully rolled out`);
}

module.exports = kubectl;
if (require.main === module) main(kubectl, process.env.CLUSTER);
