import type { INetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy' with {
  'resolution-mode': 'import',
};
import type { Environment } from '../../../topology/settings/environment';
import { SPOUT } from '../../../topology/streams';
import { labelsOf, objectName, STATUS_PORT } from './names';

/** Where a cloud gives its machines their credentials, over IPv4 and IPv6: no webhook may ask there. */
const METADATA_ADDRESSES = ['169.254.169.254/32', 'fd00:ec2::254/128'];

/** Addresses from which ports are read. A part that is not named has its usual port. */
export type PartAddresses = Pick<Environment, 'WORKER_DATABASE_URL' | 'KAFKA_BROKERS' | 'CONNECT_URL'>;

/**
 * Who may talk with a component's workers: monitoring reads their figures. A spout reaches MySQL, Kafka and Connect by their
 * ports, wherever they are; a bolt reaches every address that a webhook may name, which its own settings narrow further.
 */
export function networkPolicyOf(component: string, addresses: PartAddresses): INetworkPolicy {
  const labels = labelsOf(component);
  const parts = portsOf(addresses).map((port) => ({ protocol: 'TCP' as const, port }));
  const names = (['UDP', 'TCP'] as const).map((protocol) => ({ protocol, port: 53 }));
  const [ipv4, ipv6] = METADATA_ADDRESSES as [string, string];
  const receivers = [{ ipBlock: { cidr: '0.0.0.0/0', except: [ipv4] } }, { ipBlock: { cidr: '::/0', except: [ipv6] } }];
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: objectName(component), labels },
    spec: {
      podSelector: { matchLabels: labels },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [
        {
          from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }],
          ports: [{ protocol: 'TCP', port: STATUS_PORT }],
        },
      ],
      egress:
        component === SPOUT ? [{ ports: [...names, ...parts] }] : [{ ports: [...names, ...parts] }, { to: receivers }],
    },
  };
}

function portsOf({
  WORKER_DATABASE_URL: mysql,
  KAFKA_BROKERS: brokers,
  CONNECT_URL: connect,
}: PartAddresses): number[] {
  const ports = [
    portOf(mysql, 3_306),
    ...(brokers ?? ['kafka:9092']).map((broker) => Number(broker.slice(broker.lastIndexOf(':') + 1))),
    portOf(connect, connect?.startsWith('https:') ? 443 : 80, 8_083),
  ];
  return [...new Set(ports)].toSorted((a, b) => a - b);
}

/** @param usual the port where the address names none @param otherwise the port where there is no address */
function portOf(address: string | undefined, usual: number, otherwise: number = usual): number {
  if (address === undefined) return otherwise;
  const { port } = new URL(address);
  return port === '' ? usual : Number(port);
}
