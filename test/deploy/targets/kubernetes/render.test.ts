import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { onPath } from '../../../../deploy/stack/host/commands';
import { manifestsOf } from '../../../../deploy/targets/kubernetes/manifests';
import { type Manifest, patchOf } from '../../../../deploy/targets/kubernetes/patch';
import { type KubernetesOptions, renderKubernetes } from '../../../../deploy/targets/kubernetes/render';
import { writeRendering } from '../../../../deploy/targets/rendering';
import { drainLimitMs } from '../../../../deploy/worker/drain-limit';
import { readEnvironment } from '../../../../topology/settings/environment';
import { packageRoot } from '../../../../topology/settings/package';
import { topologyOf } from '../../../support/targets/topologies';

const secrets = {
  WORKER_DATABASE_URL: 'mysql://worker:hush1@mysql.example:3307/downspout',
  DOWNSPOUT_SECRET_KEY: 'hush2',
  KAFKA_SASL_PASSWORD: 'hush3',
  CONNECT_URL: 'https://me:hush4@connect.example',
  HTTPS_PROXY: 'http://me:hush5@proxy.example',
};
const secured = readEnvironment(
  {
    ...secrets,
    KAFKA_BROKERS: 'kafka-1.example:9093,kafka-2.example:9093',
    KAFKA_SSL: 'true',
    KAFKA_SSL_CA_FILE: '/home/me/ca.pem',
    KAFKA_SASL_MECHANISM: 'scram-sha-512',
    KAFKA_SASL_USERNAME: 'me',
    DOWNSPOUT_NAMESPACE: 'blue',
  },
  {},
);
const base = topologyOf('{ due: { replicas: 3 }, webhook: { replicas: 2 }, x: { replicas: 4 } }');
const production = topologyOf('{ due: { replicas: 5 }, webhook: { replicas: 6, timeout: 45s }, mail: {} }');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kubernetes-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const rendered = (changed: Partial<KubernetesOptions> = {}) =>
  renderKubernetes({
    base,
    overlays: new Map([['production', production]]),
    image: 'registry.example:5000/downspout:1.2.3',
    environment: secured,
    ...changed,
  });
const fileOf = (path: string, changed: Partial<KubernetesOptions> = {}) =>
  rendered(changed).find((file) => file.path === path)?.text as string;
const objectsOf = (text: string) => parseAllDocuments(text).map((one) => one.toJS() as Fields);

type Fields = { [name: string]: never } & Manifest;

/** What `kubectl kustomize` prints of a Deployment, as far as it is looked at. */
interface Built {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly containers: readonly {
          readonly image: string;
          readonly envFrom: readonly { readonly configMapRef: { readonly name: string } }[];
        }[];
        readonly volumes: readonly { readonly configMap?: { readonly name: string } }[];
      };
    };
  };
}
const find = (objects: readonly Fields[], kind: string, name: string) =>
  objects.find((one) => one.kind === kind && one.metadata?.name === name) as Fields;

/** Every object of the base, as it is written. */
function baseObjects(changed: Partial<KubernetesOptions> = {}): Fields[] {
  return rendered(changed)
    .filter(({ path }) => /^base\/(?!kustomization|topology)[^/]*\.yaml$/.test(path))
    .flatMap(({ text }) => objectsOf(text));
}

function faultsOf(objects: readonly object[]): string[] {
  const script = join(packageRoot(), 'test', 'support', 'targets', 'validate.mjs');
  const { stdout, stderr } = spawnSync(process.execPath, [script], {
    cwd: packageRoot(),
    input: JSON.stringify(objects),
    encoding: 'utf8',
  });
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as string[];
}

/** What Kustomize makes of a patch: a merge, in which items of a list are found by their names. */
function patched(value: unknown, patch: unknown): unknown {
  if (Array.isArray(patch) && Array.isArray(value) && patch.every((item) => item?.name !== undefined)) {
    return value.map((item) => patched(item, patch.find(({ name }) => name === item.name) ?? {}));
  }
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const fields = { ...(value as Record<string, unknown>) };
  for (const [name, change] of Object.entries(patch)) {
    if (change === null) delete fields[name];
    else fields[name] = name in fields ? patched(fields[name], change) : change;
  }
  return fields;
}

describe('the manifests', () => {
  it('fit the published schemas of Kubernetes, KEDA and prometheus-operator, and a wrong one does not', () => {
    const plain = baseObjects({ environment: readEnvironment({}, {}) });
    const objects = [...baseObjects(), ...plain, ...objectsOf(fileOf('overlays/production/worker-mail.yaml'))];
    expect(new Set(objects.map(({ kind }) => kind))).toEqual(
      new Set([
        'ServiceAccount',
        'TriggerAuthentication',
        'Deployment',
        'PodDisruptionBudget',
        'NetworkPolicy',
        'ScaledObject',
        'PodMonitor',
        'PrometheusRule',
      ]),
    );
    expect(faultsOf(objects)).toEqual([]);
    const wrong = { ...find(objects, 'ScaledObject', 'downspout-webhook'), spec: { minReplicaCount: 'two' } };
    expect(faultsOf([wrong])).toEqual([expect.stringContaining('scaleTargetRef')]);
  });

  it('3. A worker writes nowhere, is nobody and holds no token of the cluster', () => {
    for (const name of ['downspout-due', 'downspout-webhook', 'downspout-x']) {
      expect(find(baseObjects(), 'Deployment', name)).toMatchObject({
        spec: {
          template: {
            spec: {
              automountServiceAccountToken: false,
              securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
              containers: [
                {
                  securityContext: {
                    allowPrivilegeEscalation: false,
                    readOnlyRootFilesystem: true,
                    capabilities: { drop: ['ALL'] },
                  },
                },
              ],
            },
          },
        },
      });
    }
    expect(find(baseObjects(), 'ServiceAccount', 'downspout')).toMatchObject({ automountServiceAccountToken: false });
  });

  it('1. A new worker is ready before an old one is told to end, and one at a time is replaced', () => {
    expect(find(baseObjects(), 'Deployment', 'downspout-due')).toMatchObject({
      spec: {
        strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
        template: { spec: { containers: [{ readinessProbe: { httpGet: { path: '/readyz', port: 'status' } } }] } },
      },
    });
  });

  it.each([base, production])('2. A worker has longer to end than its drain takes', ({ settings }) => {
    for (const [file, [deployment]] of manifestsOf(settings, { environment: secured })) {
      if (deployment?.kind !== 'Deployment') continue;
      const { spec } = deployment as unknown as { spec: { template: { spec: Record<string, number> } } };
      const graceMs = (spec.template.spec['terminationGracePeriodSeconds'] as number) * 1_000;
      expect(graceMs).toBeGreaterThan(drainLimitMs([file.replace(/^worker-|\.yaml$/g, '')], settings));
    }
  });

  it('4. Secrets are named, never written down', () => {
    const texts = rendered().map(({ text }) => text);
    for (const text of texts) expect(text).not.toMatch(/hush/);
    const { env } = parse(fileOf('base/worker-due.yaml').split('---')[0] as string).spec.template.spec.containers[0];
    const byReference = env.filter((one: { valueFrom?: object }) => one.valueFrom !== undefined);
    expect(byReference.map(({ name }: { name: string }) => name)).toEqual(
      expect.arrayContaining(['WORKER_DATABASE_URL', 'DOWNSPOUT_SECRET_KEY', 'KAFKA_SASL_PASSWORD', 'HTTPS_PROXY']),
    );
    expect(fileOf('base/settings.env')).toContain('CONNECT_URL=https://connect.example/\n');
    expect(fileOf('base/settings.env')).toContain('KAFKA_SSL_CA_FILE=/etc/downspout/files/KAFKA_SSL_CA_FILE\n');
  });

  it('scale a bolt from its replicas to its partitions, by lag and by the clock, as Kafka asks for proof', () => {
    const scaled = find(baseObjects(), 'ScaledObject', 'downspout-webhook');
    expect(scaled).toMatchObject({
      spec: {
        minReplicaCount: 2,
        maxReplicaCount: 8,
        triggers: [
          {
            type: 'kafka',
            metadata: {
              topic: 'blue.due.webhook',
              consumerGroup: 'blue.downspout.webhook',
              bootstrapServersFromEnv: 'KAFKA_BROKERS',
              // A stream as full as the spout may make it (50,000) asks for all 8 partitions.
              lagThreshold: '6250',
              allowIdleConsumers: 'false',
              sasl: 'scram_sha512',
              tls: 'enable',
            },
            authenticationRef: { name: 'downspout-kafka' },
          },
          { type: 'cron', metadata: { start: '50 * * * *', end: '5 * * * *', desiredReplicas: '4' } },
        ],
      },
    });
    expect(find(baseObjects(), 'Deployment', 'downspout-webhook')).not.toHaveProperty('spec.replicas');
    expect(find(baseObjects(), 'Deployment', 'downspout-due')).toHaveProperty('spec.replicas', 3);
    expect(find(baseObjects(), 'TriggerAuthentication', 'downspout-kafka')).toMatchObject({
      spec: {
        env: [{ parameter: 'username', name: 'KAFKA_SASL_USERNAME' }],
        secretTargetRef: [
          { parameter: 'password', name: 'downspout-secrets', key: 'KAFKA_SASL_PASSWORD' },
          { parameter: 'ca', name: 'downspout-files', key: 'KAFKA_SSL_CA_FILE' },
        ],
      },
    });
  });

  it('do without KEDA and prometheus-operator where the cluster lacks them', () => {
    const objects = baseObjects({ without: ['keda', 'prometheus'] });
    const kinds = new Set(objects.map(({ apiVersion }) => apiVersion));
    expect([...kinds].filter((one) => /keda|coreos/.test(one))).toEqual([]);
    expect(find(objects, 'Deployment', 'downspout-webhook')).toHaveProperty('spec.replicas', 2);
  });

  it('let a spout reach the parts by their ports only', () => {
    const { spec } = find(baseObjects(), 'NetworkPolicy', 'downspout-due') as unknown as {
      spec: { egress: { to?: unknown; ports: { port: number }[] }[] };
    };
    expect(spec.egress).toHaveLength(1);
    expect(spec.egress[0]?.to).toBeUndefined();
    expect(spec.egress[0]?.ports.map(({ port }) => port)).toEqual([53, 53, 443, 3307, 9093]);
  });

  it('name the release that workers read from the database', () => {
    expect(fileOf('base/worker-due.yaml', { release: 7 })).toContain('- --release=7\n');
    expect(fileOf('base/worker-due.yaml')).not.toContain('--release');
  });

  it('are refused for an image without name', () => {
    expect(() => rendered({ image: 'two words' })).toThrow(/names no image/);
  });
});

describe('the Kustomize files', () => {
  it('name only files that are there, and patch only objects that are there', () => {
    const files = new Map(rendered().map(({ path, text }) => [path, text]));
    const kustomizations = [...files.keys()].filter((path) => path.endsWith('kustomization.yaml'));
    expect(kustomizations).toEqual(['base/kustomization.yaml', 'overlays/production/kustomization.yaml']);
    for (const path of kustomizations) {
      const { resources, patches = [], configMapGenerator } = parse(files.get(path) as string);
      const named = [
        ...resources.map((one: string) => (one === '../../base' ? '../../base/kustomization.yaml' : one)),
        ...patches.map((patch: { path: string }) => patch.path),
        ...configMapGenerator.flatMap((one: { files?: string[]; envs?: string[] }) => [
          ...(one.files ?? []),
          ...(one.envs ?? []),
        ]),
      ];
      const missing = named.map((name) => join(path, '..', name)).filter((name) => !files.has(name));
      expect(missing).toEqual([]);
    }
    const patches = [...files].filter(([path]) => path.endsWith('.patch.yaml')).flatMap(([, text]) => objectsOf(text));
    for (const { kind, metadata } of patches) {
      expect(find(baseObjects(), kind, metadata?.name as string)).toBeDefined();
    }
  });

  it('have files of their own for channels that are called as other files are', () => {
    const channels = ['monitoring', 'workers', 'topology', 'kustomization', 'workers-triggerauthentication'];
    const odd = topologyOf(`{ due: {}, ${channels.map((name) => `${name}: {}`).join(', ')} }`);
    const others = topologyOf(
      `{ due: {}, ${channels.map((name) => `${name}: { timeout: 45s }`).join(', ')}, fax: {} }`,
    );
    const files = rendered({ base: odd, overlays: new Map([['production', others]]) });
    const paths = files.map(({ path }) => path);
    expect(paths.filter((path, index) => paths.indexOf(path) !== index)).toEqual([]);
    const deployments = files.flatMap(({ path, text }) => {
      if (!/^base\/worker-[^/]*\.yaml$/.test(path)) return [];
      return objectsOf(text).flatMap(({ kind, metadata }) => (kind === 'Deployment' ? [metadata?.name] : []));
    });
    expect(deployments).toEqual(['due', ...channels].map((name) => `downspout-${name}`));
    expect(files.find(({ path }) => path === 'base/monitoring.yaml')?.text).toContain('kind: PodMonitor');
  });

  it.each([
    ['sms-', '^sms-: Kubernetes takes no name that ends in "-"'],
    ['sms_', '^sms_: Kubernetes takes no name that ends in "_"'],
    ['sms-eu: {}, sms--eu', '^sms-eu and sms--eu would both be downspout-sms-eu'],
  ])('are refused for components whose objects can have no name: %s', (names, why) => {
    const topology = topologyOf(`{ due: {}, ${names}: {} }`);
    expect(() => rendered({ base: topology })).toThrow(new RegExp(why));
    expect(() => rendered({ overlays: new Map([['production', topology]]) })).toThrow(new RegExp(why));
  });

  it('make of the base what the environment’s topology asks for', () => {
    const wanted = manifestsOf(production.settings, { environment: secured });
    for (const [file, manifests] of manifestsOf(base.settings, { environment: secured })) {
      const objects = wanted.get(file);
      if (objects === undefined) continue;
      manifests.forEach((manifest, index) => {
        const patch = patchOf(manifest, objects[index] as Manifest);
        expect(patched(manifest, patch ?? {})).toEqual(objects[index]);
      });
    }
    expect(fileOf('overlays/production/worker-x.deployment.patch.yaml')).toContain('$patch: delete');
    expect(fileOf('overlays/production/worker-mail.yaml')).toContain('name: downspout-mail');
  });

  it('are built by Kustomize, where kubectl is at hand', async () => {
    writeRendering(folder, rendered());
    writeFileSync(join(folder, 'overlays/production/settings.env'), 'KAFKA_BROKERS=other:9092\n');
    const kubectl = await onPath('kubectl');
    const path = join(folder, 'overlays/production');
    // Without it the two tests above have to do.
    const built = kubectl === null ? null : spawnSync(kubectl, ['kustomize', path], { encoding: 'utf8' });
    const objects =
      built === null ? objectsOf(fileOf('overlays/production/worker-mail.yaml')) : objectsOf(built.stdout);
    expect(built?.stderr ?? '').toBe('');
    expect(faultsOf(objects)).toEqual([]);
    const names = objects.filter(({ kind }) => kind === 'Deployment').map(({ metadata }) => metadata?.name);
    expect(names).toContain('downspout-mail');
    expect(names).not.toContain('downspout-x');
    if (built === null) return;
    expect(find(objects, 'Deployment', 'downspout-webhook')).toMatchObject({
      spec: {
        template: {
          spec: {
            terminationGracePeriodSeconds: 56,
            containers: [
              {
                image: 'registry.example:5000/downspout:1.2.3',
                args: ['worker', '--component=webhook', expect.anything(), expect.anything()],
              },
            ],
          },
        },
      },
    });
    expect(built.stdout).toContain('KAFKA_BROKERS: other:9092');
    expect(built.stdout).toMatch(/name: downspout-topology-\w{10}/);
  });

  it.each([undefined, 'prod'])(
    'give what an overlay adds the image, the namespace and the ConfigMaps of the rest (namespace %s)',
    async (namespace) => {
      writeRendering(folder, rendered({ namespace }));
      const kubectl = await onPath('kubectl');
      const path = join(folder, 'overlays/production');
      const own = parse(readFileSync(join(path, 'kustomization.yaml'), 'utf8')) as Fields;
      const ofBase = parse(readFileSync(join(folder, 'base/kustomization.yaml'), 'utf8')) as Fields;
      expect([own['namespace'], own['images']]).toEqual([namespace, ofBase['images']]);
      // Without it the lines above have to do.
      if (kubectl === null) return;
      const built = spawnSync(kubectl, ['kustomize', path], { encoding: 'utf8' });
      expect(built.stderr).toBe('');
      const objects = objectsOf(built.stdout) as unknown as Built[];
      expect(new Set(objects.map((one) => one.metadata.namespace))).toEqual(new Set([namespace]));
      const deployments = objects.filter(({ kind }) => kind === 'Deployment');
      expect(deployments.map(({ metadata: { name } }) => name)).toContain('downspout-mail');
      const maps = objects.filter(({ kind }) => kind === 'ConfigMap').map(({ metadata: { name } }) => name);
      for (const { spec } of deployments) {
        const { containers, volumes } = spec.template.spec;
        expect(containers.map(({ image }) => image)).toEqual(['registry.example:5000/downspout:1.2.3']);
        const asked = [
          ...containers.flatMap(({ envFrom }) => envFrom.map(({ configMapRef }) => configMapRef.name)),
          ...volumes.flatMap(({ configMap }) => (configMap === undefined ? [] : [configMap.name])),
        ];
        expect(asked.toSorted()).toEqual(maps.toSorted());
      }
    },
  );

  it('leave alone what belongs to people', () => {
    writeRendering(folder, rendered());
    const settings = join(folder, 'base', 'settings.env');
    writeFileSync(settings, 'KAFKA_BROKERS=mine:9092\n');
    const written = writeRendering(folder, rendered());
    expect(written.filter(({ state }) => state === 'kept').map(({ path }) => path)).toEqual([
      'base/settings.env',
      'overlays/production/settings.env',
    ]);
    expect(readFileSync(settings, 'utf8')).toBe('KAFKA_BROKERS=mine:9092\n');
  });

  it('know the settings that pods have: those of the files that are kept, also where an overlay has other ones', () => {
    writeRendering(folder, rendered());
    writeFileSync(join(folder, 'base/settings.env'), '# mine\nKAFKA_BROKERS=kafka:9999\nDOWNSPOUT_NAMESPACE=other\n');
    writeFileSync(
      join(folder, 'overlays/production/settings.env'),
      'KAFKA_BROKERS=kafka:9444\nKAFKA_SSL=true\nKAFKA_SSL_CA_FILE=/etc/ca.pem\nCONNECT_URL=https://connect:8443\n',
    );
    writeRendering(folder, rendered({ folder }));
    const read = (path: string) => objectsOf(readFileSync(join(folder, path), 'utf8'));
    const portsOf = (policy: Fields) =>
      (policy['spec'] as unknown as { egress: { ports: { port: number }[] }[] }).egress[0]?.ports
        .filter(({ port }) => port !== 53)
        .map(({ port }) => port);
    const due = read('base/worker-due.yaml');
    expect(portsOf(find(due, 'NetworkPolicy', 'downspout-due'))).toEqual([3307, 8083, 9999]);
    const scaled = find(read('base/worker-webhook.yaml'), 'ScaledObject', 'downspout-webhook');
    expect(JSON.stringify(scaled)).toContain('"topic":"other.due.webhook"');
    // Without a user and certificates there is nothing to prove.
    expect(read('base/workers.yaml').map(({ kind }) => kind)).toEqual(['ServiceAccount']);

    const [policy] = read('overlays/production/worker-due.networkpolicy.patch.yaml');
    expect(portsOf(policy as Fields)).toEqual([3307, 8443, 9444]);
    const [scaling] = read('overlays/production/worker-webhook.scaledobject.patch.yaml');
    expect(JSON.stringify(scaling)).toMatch(/"topic":"other\.due\.webhook".*"tls":"enable"/);
    const { resources } = parse(readFileSync(join(folder, 'overlays/production/kustomization.yaml'), 'utf8')) as {
      resources: string[];
    };
    expect(resources).toContain('workers.triggerauthentication.yaml');
    expect(read('overlays/production/workers.triggerauthentication.yaml')).toHaveLength(1);
  });

  it('take away what an overlay without certificates does not need, and refuse a setting that nobody understands', () => {
    writeRendering(folder, rendered());
    const settings = join(folder, 'overlays/production/settings.env');
    writeFileSync(settings, 'KAFKA_SSL=\nKAFKA_SASL_MECHANISM=\nKAFKA_SASL_USERNAME=\nKAFKA_SSL_CA_FILE=\n');
    const patch = rendered({ folder }).find(({ path }) => path.endsWith('workers.triggerauthentication.patch.yaml'));
    expect(patch?.text).toContain('$patch: delete');
    writeFileSync(settings, 'KAFKA_BROKERS=nowhere\n');
    expect(() => rendered({ folder })).toThrow(
      /overlays\/production\/settings\.env: KAFKA_BROKERS: .* Change KAFKA_BROKERS there\.$/,
    );
  });

  it('hold the topology that the workers of the environment read', () => {
    expect(parse(fileOf('overlays/production/topology.yaml'))).toEqual(production.specification);
    expect(parse(fileOf('base/topology.yaml'))).toEqual(base.specification);
  });

  it('hold it in one order, because another one in which the database keeps it would replace pods', () => {
    const again = { components: { x: { replicas: 4 }, webhook: { replicas: 2 }, due: { replicas: 3 } } };
    const changed = { base: { ...base, specification: again } };
    expect(fileOf('base/topology.yaml', changed)).toBe(fileOf('base/topology.yaml'));
  });
});
