import type { Fault } from './fault';
import { kafkaFaults } from './kafka-faults';
import { networkFaults } from './network-faults';
import { workerFaults } from './worker-faults';

/** Every fault that is made on one master, by what breaks. */
export const faults: readonly Fault[] = [...workerFaults, ...kafkaFaults, ...networkFaults];
