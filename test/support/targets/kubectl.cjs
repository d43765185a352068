// A double of kubectl: it speaks as much of its command line and output as a deployment needs, and refuses what it does not know. Its cluster is
// {"deployments": {"name": ["template", …]}, "broken": ["name"], "refused": "kind", "unreachable": false, "drains": 0, "old": [{…}],
// "kinds": ["kind"], "scaled": ["name"], "paused": {"name": 3}, "stuck": ["name"], "replicas": {"name": 4}, "ranBefore": {"name": 4}, "kedaBefore": {"name": "runs"}, "calls": [[…]]}. Kinds are those of what was applied. What is refused hinders nothing else that is applied. A pod that was told to end is seen by so many looks as `drains` says.
const { createHash } = require('node:crypto');
const { existsSync, readdirSync, readFileSync } = require('node:fs');
const path = require('node:path');
const { parse, parseAllDocuments, stringify } = require('yaml');
const { end, main } = require('./answering.cjs');

const COMPONENT = 'app.kubernetes.io/component';
/** The options that each verb is given, beside those of all. */
const OPTIONS = {
  config: [],
  apply: ['--request-timeout', '-k', '-f', '--selector'],
  kustomize: [],
  scale: ['--replicas'],
  annotate: ['--overwrite'],
  get: ['--selector', '--field-selector', '--ignore-not-found', '-o'],
  delete: ['--selector', '--ignore-not-found', '--cascade', '--timeout'],
  rollout: ['--timeout', '--to-revision'],
};

/** What a Kustomize folder has, and those it is built on. */
function documentsOf(folder) {
  const file = path.join(folder, 'kustomization.yaml');
  if (!existsSync(file)) end(1, `error: unable to find one of 'kustomization.yaml' in directory '${folder}'`);
  const { resources } = parse(readFileSync(file, 'utf8'));
  return resources.flatMap((resource) => {
    if (!resource.endsWith('.yaml')) return documentsOf(path.join(folder, resource));
    return parseAllDocuments(readFileSync(path.join(folder, resource), 'utf8')).map((one) => one.toJS());
  });
}

/** The labels that a Kustomize folder, and what it is built on, gives to all of it. */
function labelsOf(folder) {
  const { resources, labels = [] } = parse(readFileSync(path.join(folder, 'kustomization.yaml'), 'utf8'));
  const below = resources.filter((resource) => !resource.endsWith('.yaml'));
  const pairs = [...below.map((one) => labelsOf(path.join(folder, one))), ...labels.map((one) => one.pairs)];
  return Object.assign({}, ...pairs);
}

function hashOf(files) {
  const texts = files.map((file) => (existsSync(file) ? readFileSync(file, 'utf8') : ''));
  return createHash('sha256').update(texts.join()).digest('hex').slice(0, 10);
}

/** The objects of a folder, with the ConfigMaps' names as Kustomize makes them: they end in a hash of what these hold. */
function builtIn(folder) {
  const base = folder.endsWith('base') ? folder : path.join(path.dirname(folder), '../base');
  const held = {
    'downspout-settings': [...new Set([base, folder])].map((one) => path.join(one, 'settings.env')),
    'downspout-topology': [path.join(folder, 'topology.yaml')],
  };
  const named = Object.entries(held).reduce(
    (text, [name, files]) => text.replaceAll(`{"name":"${name}"}`, `{"name":"${name}-${hashOf(files)}"}`),
    JSON.stringify(documentsOf(folder)),
  );
  return JSON.parse(named);
}

/** What `kubectl kustomize` prints. */
function kustomize(folder) {
  const labels = labelsOf(folder);
  const labelled = builtIn(folder).map(({ metadata, ...others }) =>
    stringify({ ...others, metadata: { ...metadata, labels: { ...metadata.labels, ...labels } } }),
  );
  end(0, labelled.join('---\n'));
}

/** Whether objects are meant by a selector that is about components. */
function isMeant(selector) {
  if (selector === `!${COMPONENT}`) return ({ metadata: { labels = {} } }) => labels[COMPONENT] === undefined;
  const [, list] = /^app\.kubernetes\.io\/component in \(([\w,-]+)\)$/.exec(selector) ?? [];
  if (list === undefined) end(1, `error: unable to parse requirement: ${selector}`);
  return ({ metadata: { labels = {} } }) => list.split(',').includes(labels[COMPONENT]);
}

const argsIn = (template) => /"args":(\[[^\]]*\])/.exec(template)?.[1];

/** A Deployment has another template from now on. */
function change(cluster, name, template) {
  const history = (cluster.deployments[name] ??= []);
  const before = history.at(-1);
  if (before !== undefined && (cluster.drains ?? 0) > 0)
    cluster.old = [...(cluster.old ?? []), { name, template: before, looks: cluster.drains }];
  history.push(template);
}

/** @param template of a Deployment, as it is compared */
function deployed({ metadata: { name, annotations }, spec: { replicas } }, template, cluster) {
  // Where a manifest says none, those that there are stay.
  cluster.replicas = { ...cluster.replicas, [name]: replicas ?? cluster.replicas?.[name] ?? 1 };
  const ranBefore = annotations?.['downspout/ran-before'];
  if (ranBefore !== undefined) cluster.ranBefore = { ...cluster.ranBefore, [name]: ranBefore };
  const kedaBefore = annotations?.['downspout/keda-before'];
  if (kedaBefore !== undefined) cluster.kedaBefore = { ...cluster.kedaBefore, [name]: kedaBefore };
  const before = cluster.deployments[name]?.at(-1);
  const line = before === undefined ? 'created' : before === template ? 'unchanged' : 'configured';
  if (line !== 'unchanged') change(cluster, name, template);
  return `deployment.apps/${name} ${line}`;
}

/** Objects of one file. */
function applyFile(file, cluster) {
  const documents = parseAllDocuments(readFileSync(file, 'utf8')).map((one) => one.toJS());
  for (const one of documents) {
    if (one.kind !== 'Deployment') continue;
    const { matchLabels } = one.spec.selector;
    const { labels } = one.spec.template.metadata;
    if (Object.entries(matchLabels).some(([key, value]) => labels[key] !== value))
      end(1, 'The Deployment is invalid: spec.template.metadata.labels: `selector` does not match template `labels`');
    const label = `downspout/deployment: ${one.metadata.labels['downspout/deployment']}`;
    deployed(one, JSON.stringify(one.spec.template) + label, cluster);
  }
  end(0, '');
}

function apply(args, cluster) {
  if (args.includes('-f')) applyFile(args[args.indexOf('-f') + 1], cluster);
  const folder = args[args.indexOf('-k') + 1];
  const selector = args.find((arg) => arg.startsWith('--selector='))?.slice('--selector='.length) ?? '';
  // What an overlay changes is a new template too.
  const context = readdirSync(folder)
    .map((entry) => (entry.endsWith('.yaml') ? readFileSync(path.join(folder, entry), 'utf8') : ''))
    .join();
  const base = readFileSync(
    path.join(path.dirname(folder), folder.endsWith('base') ? 'base' : '../base', 'kustomization.yaml'),
    'utf8',
  );
  const meant = builtIn(folder).filter(isMeant(selector));
  if (meant.length === 0) end(1, 'error: no objects passed to apply');
  const lines = meant.flatMap((one) => {
    if (one.kind !== 'Deployment') return [];
    return deployed(one, JSON.stringify(one.spec.template) + context + base, cluster);
  });
  const scaled = meant.filter(({ kind }) => kind === 'ScaledObject').map(({ metadata }) => metadata.name);
  cluster.scaled = [...new Set([...(cluster.scaled ?? []), ...scaled])];
  cluster.kinds = [...new Set([...(cluster.kinds ?? []), ...meant.map(({ kind }) => kind)])];
  if (meant.some(({ kind }) => kind === cluster.refused)) end(1, `error: no matches for kind "${cluster.refused}"`);
  end(0, lines.join('\n'));
}

/** The pods of a component that run, also those that drain. */
function pods(args, cluster) {
  if (!args.includes('--field-selector=status.phase=Running')) end(1, 'error: pods that have ended would be listed');
  const selector = args.find((arg) => arg.startsWith('--selector=')) ?? '';
  const [, component, canary] = / in \(([\w-]+),([\w-]+)\.canary\)$/.exec(selector) ?? [];
  if (component === undefined || component !== canary) end(1, 'error: pods of canaries would be left out');
  const isOf = (template) => argsIn(template)?.includes(`"--component=${component}"`);
  const running = Object.values(cluster.deployments).map((history) => history.at(-1));
  const draining = (cluster.old ?? []).filter(({ template }) => isOf(template));
  const found = [...running.filter(isOf), ...draining.map(({ template }) => template)];
  for (const one of draining) one.looks--;
  cluster.old = (cluster.old ?? []).filter(({ looks }) => looks > 0);
  end(0, found.map((template, index) => `pod-${index} ${argsIn(template)}`).join('\n'));
}

/** Ends by throwing. @param all of the command line @param cluster is changed */
function kubectl(all, cluster) {
  cluster.calls.push(all);
  const args = all.filter((arg) => !arg.startsWith('--namespace='));
  const [verb, what, name = ''] = args;
  const unknown = args.find((arg) => arg.startsWith('-') && !OPTIONS[verb]?.includes(arg.split('=')[0]));
  if (unknown !== undefined) end(1, `error: unknown flag: ${unknown}`);
  if (verb === 'config') end(0, 'a-cluster');
  if (cluster.unreachable)
    end(1, 'The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?');
  if (verb === 'apply') apply(args, cluster);
  if (args.some((arg) => arg.includes('.args}') && !arg.includes('containers[?(@.name=="worker")].args}')))
    end(1, 'error: the first container may be one that the cluster has put beside the worker');
  if (verb === 'get' && what === 'replicaset') {
    const lines = Object.entries(cluster.deployments).flatMap(([owner, history]) =>
      history.map((template, index) => `${owner} ${index + 1} ${argsIn(template)}`),
    );
    end(0, lines.join('\n'));
  }
  if (verb === 'get' && what === 'pod') pods(args, cluster);
  if (verb === 'kustomize') kustomize(what);
  if (verb === 'get' && what === 'scaledobject' && !name.startsWith('--')) {
    if (cluster.refused?.toLowerCase() === what) end(1, `error: the server doesn't have a resource type "${what}"`);
    if (!cluster.scaled?.includes(name)) end(0, '');
    if (args.at(-1).includes('paused-replicas')) end(0, `${name} ${cluster.paused?.[name] ?? ''}`);
    end(0, `scaledobject.keda.sh/${name}`);
  }
  if (verb === 'get' && ['scaledobject', 'podmonitor'].includes(what)) {
    if (cluster.refused?.toLowerCase() === what) end(1, `error: the server doesn't have a resource type "${what}"`);
    const found = cluster.kinds?.find((kind) => kind.toLowerCase() === what);
    end(0, found === undefined ? '' : `${what}.example/${found}`);
  }
  if (verb === 'get' && args.at(-1) === '-o=jsonpath={.spec.replicas}') end(0, String(cluster.replicas?.[name] ?? 1));
  if (verb === 'get' && args.at(-1).includes('configMapRef')) {
    const template = cluster.deployments[name]?.at(-1) ?? '';
    const names = [...template.matchAll(/"configMap(?:Ref)?":\{"name":"([^"]+)"\}/g)].map(([, map]) => map);
    end(0, names.join(' '));
  }
  if (verb === 'get' && name.startsWith('--selector=')) {
    const lines = Object.entries(cluster.deployments).map(([one, history]) => {
      const grace = /"terminationGracePeriodSeconds":(\d+)/.exec(history.at(-1))?.[1] ?? 30;
      return `${one} ${cluster.ranBefore?.[one] ?? ''} ${cluster.kedaBefore?.[one] ?? ''} ${grace}`;
    });
    end(0, lines.join('\n'));
  }
  if (verb === 'get') end(0, cluster.deployments[name] === undefined ? '' : `deployment.apps/${name}`);
  if (verb === 'delete' && what === 'scaledobject') end(1, `error: the server doesn't have a resource type "${what}"`);
  if (verb === 'delete' && what === 'pod') end(0, 'pod deleted');
  if (verb === 'delete' && what !== 'deployment') end(0, '');
  if (verb === 'delete') {
    // A pod on a node that does not answer: what waits for its end never sees it, and its Deployment stays as long.
    if (cluster.stuck?.includes(name)) end(1, `error: timed out waiting for the condition on deployments/${name}`);
    const id = /^--selector=.*downspout\/deployment=(\w+)$/.exec(name)?.[1];
    if (name.startsWith('--selector=')) {
      const stays = ([, history]) => id !== undefined && !history.at(-1).includes(`downspout/deployment: ${id}`);
      cluster.deployments = Object.fromEntries(Object.entries(cluster.deployments).filter(stays));
    } else {
      delete cluster.deployments[name];
      delete cluster.ranBefore?.[name];
      delete cluster.kedaBefore?.[name];
      delete cluster.replicas?.[name];
    }
    end(0, 'deployment.apps deleted');
  }
  if (verb === 'annotate' && what === 'deployment') {
    if (args[3] !== 'downspout/ran-before-') end(1, 'error: annotations');
    delete cluster.ranBefore?.[name];
    end(0, `deployment.apps/${name} annotated`);
  }
  if (verb === 'annotate') {
    const [, isSet] =
      /^autoscaling\.keda\.sh\/paused-replicas(?:=(\d+)|-)$/.exec(args[3]) ?? end(1, 'error: annotations');
    if (isSet === undefined) delete cluster.paused?.[name];
    else cluster.paused = { ...cluster.paused, [name]: Number(isSet) };
    end(0, `scaledobject.keda.sh/${name} annotated`);
  }
  const deployment = (verb === 'scale' ? what : name).replace(/^deployment\//, '');
  const history = cluster.deployments[deployment];
  if (history === undefined) end(1, `Error from server (NotFound): deployments.apps "${deployment}" not found`);
  if (verb === 'scale') {
    cluster.replicas[deployment] = Number(args.at(-1).replace('--replicas=', ''));
    end(0, `deployment.apps/${deployment} scaled`);
  }
  if (what === 'undo') {
    const to = args.find((arg) => arg.startsWith('--to-revision='))?.split('=')[1];
    const template = to === undefined ? history.at(-2) : history[Number(to) - 1];
    if (template === undefined) end(1, `error: unable to find specified revision ${to} in history`);
    change(cluster, deployment, template);
    cluster.broken = cluster.broken.filter((one) => one !== deployment);
    end(0, `deployment.apps/${deployment} rolled back`);
  }
  if (what !== 'status') end(1, `error: unknown command "${verb} ${what}"`);
  if (cluster.broken.includes(deployment)) end(1, `error: deployment "${deployment}" exceeded its progress deadline`);
  end(0, `deployment "${deployment}" successfully rolled out`);
}

module.exports = kubectl;
if (require.main === module) main(kubectl, process.env.CLUSTER);
