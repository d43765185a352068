import type { Channel } from '../bolts/channel';
import { SendBolt } from '../bolts/send-bolt';
import type { SendRows } from '../bolts/send-rows';
import type { Acks } from '../spouts/acks';
import type { CdcHealth } from '../spouts/cdc-health';
import { DueSpout } from '../spouts/due-spout';
import type { OpenRows } from '../spouts/open-rows';
import { reasonOf, Unavailable } from './core/errors';
import { fieldsGrouping } from './core/grouping';
import type { Codec } from './core/stream';
import { type Topology, TopologyBuilder } from './core/topology';
import type { TopologySettings } from './settings/topology-settings';
import { due, type ScheduleChange, scheduleChanges } from './streams';

/** What the parts stand on. */
export interface DeliveryOptions {
  readonly settings: TopologySettings;
  readonly channels: ReadonlyMap<string, Channel>;
  readonly changes: Codec<ScheduleChange>;
  readonly openRows: OpenRows;
  readonly sendRows: (channel: string) => SendRows;
  readonly acks: Acks;
  readonly cdcHealth?: CdcHealth;
  readonly random: () => number;
}

/**
 * THE MAP.
 *
 *     MySQL ──CDC──▶ schedule-changes ──▶ due (spout) ──▶ due.<channel>, by account ──▶ <channel> (bolt) ──▶ provider
 */
export function deliveryTopology(options: DeliveryOptions): Topology {
  const { due: spout, ...bolts } = options.settings.components;
  const channels = [...options.channels.values()];
  const topology = new TopologyBuilder().spout('due', {
    feed: scheduleChanges(options.changes),
    emits: channels.map(({ name }) => due(name)),
    create: (context) =>
      new DueSpout({
        ...options,
        ...context,
        rows: options.openRows,
        settings: spout,
        channels: channels.map(dueChannel),
      }),
  });
  for (const channel of channels) {
    const bolt = bolts[channel.name];
    if (bolt === undefined) continue;
    topology.bolt(channel.name, {
      reads: due(channel.name),
      grouping: fieldsGrouping('account'),
      create: (context) =>
        new SendBolt({
          ...context,
          channel,
          settings: { ...bolt, leadMs: spout.leadMs },
          retry: { maxAttempts: bolt.attempts, base: bolt.backOffMs, cap: bolt.backOffMaxMs },
          rows: options.sendRows(channel.name),
          random: options.random,
          // What goes wrong with one message, or is tried again, must not end the worker.
          onError: (what, error) => context.onError(new Unavailable(`${what}: ${reasonOf(error)}`, { cause: error })),
        }),
    });
  }
  return topology.build();
}

function dueChannel({ name, class: kind, acceptedWithin }: Channel) {
  // Where sending again is not harmless, it waits until what a dead worker may have started can no longer be accepted.
  return { name, stream: due(name), recoverDelayMs: kind === 'idempotent' ? 0 : acceptedWithin };
}
