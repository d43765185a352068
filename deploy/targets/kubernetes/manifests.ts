import type { IPodMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor' with {
  'resolution-mode': 'import',
};
import type { IPrometheusRule } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule' with {
  'resolution-mode': 'import',
};
import type { IServiceAccount } from 'kubernetes-models/v1/ServiceAccount' with { 'resolution-mode': 'import' };
import type { Environment } from '../../../topology/settings/environment';
import { replicasOf, type TopologySettings } from '../../../topology/settings/topology-settings';
import { SPOUT } from '../../../topology/streams';
import { alertGroups } from '../../monitoring/alert-rules';
import { deploymentOf, disruptionBudgetOf, type WorkerStart } from './deployment';
import { componentFile, requireNames, WORKER_LABELS } from './names';
import { networkPolicyOf } from './network';
import type { Manifest } from './patch';
import { scaledObjectOf, triggerAuthenticationsOf } from './scaling';

/** Operators that a cluster may lack: objects for them are left out then. */
export const clusterOperators = ['keda', 'prometheus'] as const;
export type ClusterOperator = (typeof clusterOperators)[number];

export interface ManifestOptions extends WorkerStart {
  readonly environment: Environment;
  readonly without?: readonly ClusterOperator[] | undefined;
  /** Where the alerts' runbook can be opened. */
  readonly runbookUrl?: string | undefined;
}

/**
 * Every object of a topology, by the file that it belongs into: one for each component, and what all have in common.
 * @throws UserError when a component's objects can have no name
 */
export function manifestsOf(settings: TopologySettings, options: ManifestOptions): Map<string, readonly Manifest[]> {
  const { environment, without = [] } = options;
  const hasKeda = !without.includes('keda');
  const names = [...replicasOf(settings).keys()];
  requireNames(names);
  const components = names.map((component): [string, readonly Manifest[]] => {
    const { spec, ...deployment } = deploymentOf(component, settings, options);
    const { replicas, ...others } = spec as NonNullable<typeof spec>;
    const isScaled = hasKeda && component !== SPOUT;
    return [
      componentFile(component),
      [
        // Replicas of a component that KEDA scales are KEDA's: applying the file must not set them back.
        { ...deployment, spec: isScaled || replicas === undefined ? others : { replicas, ...others } } as Manifest,
        disruptionBudgetOf(component),
        networkPolicyOf(component, environment),
        ...(isScaled ? [scaledObjectOf(component, settings, environment) as Manifest] : []),
      ],
    ];
  });
  const monitoring = without.includes('prometheus') ? [] : [podMonitor(), alerts(options.runbookUrl)];
  return new Map([
    ['workers.yaml', [serviceAccount(), ...(hasKeda ? triggerAuthenticationsOf(environment) : [])] as Manifest[]],
    ...components,
    ...(monitoring.length === 0 ? [] : [['monitoring.yaml', monitoring as Manifest[]] as const]),
  ]);
}

function serviceAccount(): IServiceAccount {
  return {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'downspout', labels: WORKER_LABELS },
    automountServiceAccountToken: false,
  };
}

function podMonitor(): IPodMonitor {
  return {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PodMonitor',
    metadata: { name: 'downspout', labels: WORKER_LABELS },
    spec: {
      selector: { matchLabels: WORKER_LABELS },
      podMetricsEndpoints: [{ port: 'status', path: '/metrics', interval: '15s' }],
    },
  };
}

function alerts(runbookUrl: string | undefined): IPrometheusRule {
  return {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: { name: 'downspout', labels: WORKER_LABELS },
    spec: { groups: alertGroups(runbookUrl) },
  };
}
