import { accessFaults } from './access-faults';
import { cdcFaults } from './cdc-faults';
import { channelFaults } from './channel-faults';
import { dataFaults } from './data-faults';
import type { Fault } from './fault';
import { kafkaFaults } from './kafka-faults';
import { networkFaults } from './network-faults';
import { providerFaults } from './provider-faults';
import { schemaFaults } from './schema-faults';
import { tenantFaults } from './tenant-faults';
import { workerFaults } from './worker-faults';

/** Every fault that is made on one master, by what breaks. */
export const faults: readonly Fault[] = [
  ...workerFaults,
  ...networkFaults,
  ...kafkaFaults,
  ...cdcFaults,
  ...dataFaults,
  ...schemaFaults,
  ...accessFaults,
  ...providerFaults,
  ...tenantFaults,
  ...channelFaults,
];
