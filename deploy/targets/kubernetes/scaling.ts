import type { IScaledObject } from '@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject' with {
  'resolution-mode': 'import',
};
import type { ITriggerAuthentication } from '@kubernetes-models/keda/keda.sh/v1alpha1/TriggerAuthentication' with {
  'resolution-mode': 'import',
};
import { groupName } from '../../../connectors/kafka/names';
import type { Environment } from '../../../topology/settings/environment';
import type { TopologySettings } from '../../../topology/settings/topology-settings';
import { due, topicName } from '../../../topology/streams';
import { FILES, labelsOf, objectName, SECRETS, WORKER_LABELS } from './names';

const AUTHENTICATION = 'downspout-kafka';
/** Most messages are due at round hours: more workers stand ready from ten minutes before until five after. */
const BEFORE_THE_HOUR = '50 * * * *';
const AFTER_THE_HOUR = '5 * * * *';
const ROUND_HOUR_FACTOR = 2;
/** A worker that goes makes its group assign partitions again: few go, one at a time, and not for a short calm. */
const CALM_SECONDS = 600;

/** What of the environment decides how KEDA asks Kafka. */
export type KafkaAccess = Pick<
  Environment,
  | 'DOWNSPOUT_NAMESPACE'
  | 'KAFKA_SSL'
  | 'KAFKA_SSL_CA_FILE'
  | 'KAFKA_SSL_CERT_FILE'
  | 'KAFKA_SSL_KEY_FILE'
  | 'KAFKA_SASL_MECHANISM'
>;

/**
 * Scales a bolt between the replicas of topology.yaml and the partitions of its stream: by the tuples that wait for it, and by
 * the clock before round hours. A stream as full as the spout may make it asks for one worker per partition.
 */
export function scaledObjectOf(channel: string, settings: TopologySettings, access: KafkaAccess): IScaledObject {
  const { spout, bolts } = settings;
  const { replicas, partitions } = bolts[channel] as { replicas: number; partitions: number };
  const namespace = access.DOWNSPOUT_NAMESPACE;
  return {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledObject',
    metadata: { name: objectName(channel), labels: labelsOf(channel) },
    spec: {
      scaleTargetRef: { name: objectName(channel) },
      minReplicaCount: replicas,
      maxReplicaCount: partitions,
      pollingInterval: 15,
      fallback: { failureThreshold: 4, replicas },
      advanced: {
        horizontalPodAutoscalerConfig: {
          behavior: {
            scaleDown: {
              stabilizationWindowSeconds: CALM_SECONDS,
              policies: [{ type: 'Pods', value: 1, periodSeconds: 60 }],
            },
          },
        },
      },
      triggers: [
        {
          type: 'kafka',
          metadata: {
            bootstrapServersFromEnv: 'KAFKA_BROKERS',
            consumerGroup: groupName(namespace, channel),
            topic: topicName(namespace, due(channel).name),
            // Where the group has committed nothing, it begins with the first record.
            offsetResetPolicy: 'earliest',
            lagThreshold: String(Math.ceil(spout.maxPending / partitions)),
            allowIdleConsumers: 'false',
            ...(access.KAFKA_SSL ? { tls: 'enable' } : {}),
            ...(access.KAFKA_SASL_MECHANISM === undefined ? {} : { sasl: saslName(access.KAFKA_SASL_MECHANISM) }),
          },
          ...(isSecured(access) ? { authenticationRef: { name: AUTHENTICATION } } : {}),
        },
        {
          type: 'cron',
          metadata: {
            timezone: 'UTC',
            start: BEFORE_THE_HOUR,
            end: AFTER_THE_HOUR,
            desiredReplicas: String(Math.min(partitions, replicas * ROUND_HOUR_FACTOR)),
          },
        },
      ],
    },
  };
}

/** How KEDA proves to Kafka who it is: by the Secrets of the workers. None where Kafka asks for nothing. */
export function triggerAuthenticationsOf(access: KafkaAccess): ITriggerAuthentication[] {
  if (!isSecured(access)) return [];
  const hasUser = access.KAFKA_SASL_MECHANISM !== undefined;
  return [
    {
      apiVersion: 'keda.sh/v1alpha1',
      kind: 'TriggerAuthentication',
      metadata: { name: AUTHENTICATION, labels: WORKER_LABELS },
      spec: {
        ...(hasUser ? { env: [{ parameter: 'username', name: 'KAFKA_SASL_USERNAME' }] } : {}),
        secretTargetRef: [
          ...(hasUser ? [{ parameter: 'password', name: SECRETS, key: 'KAFKA_SASL_PASSWORD' }] : []),
          ...['ca', 'cert', 'key'].flatMap((parameter) => {
            const key = `KAFKA_SSL_${parameter.toUpperCase()}_FILE` as keyof KafkaAccess;
            return access[key] === undefined ? [] : [{ parameter, name: FILES, key }];
          }),
        ],
      },
    },
  ];
}

function isSecured(access: KafkaAccess): boolean {
  return (access.KAFKA_SASL_MECHANISM ?? access.KAFKA_SSL_CA_FILE ?? access.KAFKA_SSL_CERT_FILE) !== undefined;
}

/** KEDA's word for it. */
function saslName(mechanism: NonNullable<KafkaAccess['KAFKA_SASL_MECHANISM']>): string {
  return mechanism === 'plain' ? 'plaintext' : mechanism.replaceAll('-', '_').replace('scram_sha_', 'scram_sha');
}
