import type { AccountRefreshes } from '../bolts/account-refreshes';
import type { Channel } from '../bolts/channel';
import type { ReadyRows } from '../bolts/ready-rows';
import { sendsAgainAtOnce } from '../bolts/send/doubt';
import { SendBolt } from '../bolts/send-bolt';
import type { SendLimits } from '../bolts/send-limits';
import type { SendRows } from '../bolts/send-rows';
import type { Acks } from '../spouts/acks';
import type { CdcHealth } from '../spouts/cdc-health';
import type { DeploymentHealth } from '../spouts/deployment-health';
import { DueSpout } from '../spouts/due-spout';
import type { OpenRows } from '../spouts/open-rows';
import type { SuspendedRows } from '../spouts/suspended-rows';
import { reasonOf, Unavailable } from './core/errors';
import { fieldsGrouping } from './core/grouping';
import { channelPolicy } from './core/lateness';
import { channelLimits, type Limits, mostAtOnce } from './core/limits';
import type { Codec } from './core/stream';
import { type Topology, TopologyBuilder } from './core/topology';
import type { TopologySettings } from './settings/topology-settings';
import { due, type ScheduleChange, SPOUT, scheduleChanges } from './streams';

/** What the spout and the bolts are given. */
export interface DeliveryOptions {
  readonly settings: TopologySettings;
  readonly channels: ReadonlyMap<string, Channel>;
  readonly changes: Codec<ScheduleChange>;
  readonly openRows: OpenRows;
  readonly sendRows: (channel: string) => SendRows;
  readonly readyRows?: ReadyRows;
  readonly sendLimits?: (channel: string) => SendLimits;
  readonly refreshes?: AccountRefreshes;
  readonly acks: Acks;
  readonly cdcHealth?: CdcHealth;
  readonly deploymentHealth?: DeploymentHealth;
  readonly suspendedRows?: SuspendedRows;
  /** How long after its due time a message of a channel is worth sending whose component does not say it, milliseconds; undefined: for ever. */
  readonly sendWithinOf: (channel: string) => number | undefined;
  /** What a channel's provider is known to allow, where its component does not say it; undefined: nothing is known. */
  readonly limitsOf?: (channel: string) => Limits | undefined;
  /** Of the database whose messages are sent, 32 hex digits; known when the worker runs. */
  readonly deploymentId: () => string;
  readonly random: () => number;
}

/**
 * THE MAP: the whole way of a message, from the row that an application writes to the outcome that is written back to it.
 * docs/how-it-works.md explains the words.
 *
 *     MySQL ──CDC──▶ schedule-changes ──▶ due (spout) ──▶ due.<channel>, by account ──▶ <channel> (bolt) ──▶ provider
 *       ▲                                                                                    │
 *       └──────────────────────────── claim, write-back ─────────────────────────────────────┘
 *
 * Inside the spout (spouts/due-spout.ts):
 *
 * | stage | what happens to a message there |
 * |---|---|
 * | feed | CDC reports the change of a plan; memory takes it if its wake lies below the frontier |
 * | spouts/read | the row is read from the table, when its bucket is opened or because reconcile finds it overdue |
 * | spouts/memory | it waits in a bucket until its wake − lead |
 * | spouts/emit | it is appended to the channel's stream, pending until the bolt's group has committed past it |
 *
 * Inside the bolt (bolts/send-bolt.ts):
 *
 * | stage | what happens to a message there |
 * |---|---|
 * | bolts/claim: prefetch | the rows of the tuples are read in batches, and their payloads as far as there is memory, and prepared |
 * | bolts/claim: hold | the row waits for its instant |
 * | bolts/slots | the row gets its turn: of its account, of its origin, of the worker |
 * | bolts/claim: claim | one conditional UPDATE makes the row ours; now the tuple is acked |
 * | bolts/send: send | the channel makes the request, at or after the wake |
 * | bolts/send: write back | the outcome goes to the row and to the ledger; a retry is a new plan and comes by CDC again |
 *
 * Beside them, before the wake, bolts/ready makes containers and uploads of messages that the channel cannot make at their instant in time.
 */
export function deliveryTopology(options: DeliveryOptions): Topology {
  const { spout, bolts } = options.settings;
  const channels = [...options.channels.values()];
  const limitsOf = (channel: string) => channelLimits(bolts[channel]?.limits, options.limitsOf?.(channel));
  const topology = new TopologyBuilder().spout(SPOUT, {
    feed: scheduleChanges(options.changes),
    emits: channels.map(({ name }) => due(name)),
    create: (context) =>
      new DueSpout({
        ...options,
        ...context,
        rows: options.openRows,
        settings: spout,
        channels: channels.map((channel) => dueChannel(channel, limitsOf(channel.name))),
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
          retry: { giveUpAfterMs: bolt.giveUpAfterMs, baseMs: bolt.backOffMs, capMs: bolt.backOffMaxMs },
          lateness: channelPolicy(bolt, options.sendWithinOf(channel.name)),
          limits: limitsOf(channel.name),
          sendLimits: options.sendLimits?.(channel.name),
          rows: options.sendRows(channel.name),
          readyRows: options.readyRows,
          refreshes: options.refreshes,
          deploymentId: options.deploymentId,
          random: options.random,
          // A failure of one message, or one that the bolt retries, must not end the worker.
          onError: (what, error) => context.onError(new Unavailable(`${what}: ${reasonOf(error)}`, { cause: error })),
          onBug: context.onError,
        }),
    });
  }
  return topology.build();
}

function dueChannel(channel: Channel, limits: Limits | undefined) {
  const { name, acceptedWithin } = channel;
  // Where sending again is not harmless, it waits until what a dead worker may have started can no longer be accepted.
  const own = { name, stream: due(name), recoverDelayMs: sendsAgainAtOnce(channel) ? 0 : acceptedWithin };
  return limits === undefined ? own : { ...own, maxPendingPerAccount: mostAtOnce(limits) };
}
