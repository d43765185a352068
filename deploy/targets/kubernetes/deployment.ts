import type { IDeployment } from 'kubernetes-models/apps/v1/Deployment' with { 'resolution-mode': 'import' };
import type { IPodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget' with {
  'resolution-mode': 'import',
};
import type { TopologySettings } from '../../../topology/settings/topology-settings';
import { SPOUT } from '../../../topology/streams';
import { graceSeconds } from '../../worker/drain-limit';
import { secretSettings } from '../worker-settings';
import {
  CONTAINER,
  FILES,
  FILES_FOLDER,
  IMAGE,
  labelsOf,
  objectName,
  SECRETS,
  SETTINGS,
  STATUS_PORT,
  TOPOLOGY,
  TOPOLOGY_FOLDER,
} from './names';

/** Of a worker without messages, and of one entry in a spout's memory. */
const IDLE_MIB = 192;
const ENTRY_BYTES = 1_024;
const MIB = 1_048_576;
/** The part of the memory that is for JavaScript's heap; the rest is for buffers and the runtime. */
const HEAP_SHARE = 0.75;
/** The user `node` of the image. */
const USER = 1_000;

/** How workers of a release are started. */
export interface WorkerStart {
  /** The release that they read from the database; without it they read topology.yaml from a ConfigMap. */
  readonly release?: number | undefined;
}

/**
 * The workers of one component.
 *
 * 1. A new worker is ready before an old one is told to end, and one at a time is replaced.
 * 2. A worker has longer to end than its drain takes.
 * 3. A worker writes nowhere, is nobody and holds no token of the cluster.
 * 4. Secrets are named, never written down.
 */
export function deploymentOf(component: string, settings: TopologySettings, { release }: WorkerStart): IDeployment {
  const labels = labelsOf(component);
  const replicas = component === SPOUT ? settings.spout.replicas : settings.bolts[component]?.replicas;
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: objectName(component), labels },
    spec: {
      ...(replicas === undefined ? {} : { replicas }),
      selector: { matchLabels: labels },
      // A new pod is warm by its first partitions before the old one goes.
      minReadySeconds: 2,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      progressDeadlineSeconds: 180,
      revisionHistoryLimit: 5,
      template: {
        metadata: { labels },
        spec: {
          serviceAccountName: 'downspout',
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          terminationGracePeriodSeconds: graceSeconds([component], settings),
          securityContext: {
            runAsNonRoot: true,
            runAsUser: USER,
            runAsGroup: USER,
            seccompProfile: { type: 'RuntimeDefault' },
          },
          topologySpreadConstraints: ['topology.kubernetes.io/zone', 'kubernetes.io/hostname'].map((topologyKey) => ({
            maxSkew: 1,
            topologyKey,
            whenUnsatisfiable: 'ScheduleAnyway',
            labelSelector: { matchLabels: labels },
          })),
          containers: [
            {
              name: CONTAINER,
              image: IMAGE,
              args: [
                'worker',
                `--component=${component}`,
                '--status-host=0.0.0.0',
                `--status-port=${STATUS_PORT}`,
                ...(release === undefined ? [] : [`--release=${release}`]),
              ],
              ports: [{ name: 'status', containerPort: STATUS_PORT }],
              envFrom: [{ configMapRef: { name: SETTINGS } }],
              env: [
                { name: 'DOWNSPOUT_TOPOLOGY', value: `${TOPOLOGY_FOLDER}/topology.yaml` },
                { name: 'NODE_OPTIONS', value: `--max-old-space-size=${heapMib(component, settings)}` },
                ...secretSettings.map((name, index) => ({
                  name,
                  valueFrom: { secretKeyRef: { name: SECRETS, key: name, optional: index > 0 } },
                })),
              ],
              startupProbe: { httpGet: { path: '/healthz', port: 'status' }, periodSeconds: 1, failureThreshold: 60 },
              // A part of the stack that is away makes a worker unready, never unhealthy: starting it again helps nobody.
              livenessProbe: { httpGet: { path: '/healthz', port: 'status' }, periodSeconds: 10, timeoutSeconds: 5 },
              readinessProbe: { httpGet: { path: '/readyz', port: 'status' }, periodSeconds: 2, timeoutSeconds: 2 },
              resources: {
                // No limit of CPU: a worker that is throttled at a round hour sends late.
                requests: { cpu: component === SPOUT ? '250m' : '500m', memory: `${memoryMib(component, settings)}Mi` },
                limits: { memory: `${memoryMib(component, settings)}Mi` },
              },
              securityContext: {
                allowPrivilegeEscalation: false,
                readOnlyRootFilesystem: true,
                capabilities: { drop: ['ALL'] },
              },
              volumeMounts: [
                { name: 'topology', mountPath: TOPOLOGY_FOLDER, readOnly: true },
                { name: 'files', mountPath: FILES_FOLDER, readOnly: true },
                { name: 'media', mountPath: '/tmp' },
              ],
            },
          ],
          volumes: [
            { name: 'topology', configMap: { name: TOPOLOGY } },
            { name: 'files', secret: { secretName: FILES, optional: true } },
            // While they are sent.
            { name: 'media', emptyDir: { sizeLimit: '2Gi' } },
          ],
        },
      },
    },
  };
}

/** One worker of a component at a time may be taken away; one that is not ready may go at any time. */
export function disruptionBudgetOf(component: string): IPodDisruptionBudget {
  const labels = labelsOf(component);
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: objectName(component), labels },
    spec: { maxUnavailable: 1, unhealthyPodEvictionPolicy: 'AlwaysAllow', selector: { matchLabels: labels } },
  };
}

/** A bolt may hold each payload twice, as it was read and as it is prepared, and outcomes that only the ledger has in half as much. */
function memoryMib(component: string, { spout, bolts }: TopologySettings): number {
  const bolt = bolts[component];
  const held =
    bolt === undefined ? spout.maxEntries * Object.keys(bolts).length * ENTRY_BYTES : bolt.maxHeldBytes * 2.5;
  return Math.ceil((IDLE_MIB + held / MIB) / 64) * 64;
}

function heapMib(component: string, settings: TopologySettings): number {
  return Math.floor(memoryMib(component, settings) * HEAP_SHARE);
}
