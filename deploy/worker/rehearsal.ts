import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Channel } from '../../bolts/channel';
import { SendBolt } from '../../bolts/send-bolt';
import type { ClaimRow, SendRow, SendRows } from '../../bolts/send-rows';
import { webhook } from '../../connectors/channels/webhook/webhook';
import type { Delivery } from '../../topology/core/bolt';
import type { Clock } from '../../topology/core/clock';
import type { BoltSettings } from '../../topology/settings/topology-settings';
import type { Due } from '../../topology/streams';

export interface RehearsalOptions {
  /** Of the bolt that is going to run. */
  readonly settings: BoltSettings;
  /** The table. It is asked for rows that are not there, and nothing is written. */
  readonly rows: Pick<SendRows, 'read' | 'claim'>;
  readonly clock: Clock;
  readonly random: () => number;
}

const MESSAGES = 2_000;
const MESSAGES_AT_A_TIME = 200;
const ACCOUNTS = 50;
/** A worker that takes the place of a dead one is awaited. */
const LIMIT_MS = 1_000;
/** No row has this id or one of those above. */
const FIRST_ID = Number.MAX_SAFE_INTEGER - MESSAGES;
const NOBODY = '0'.repeat(32);

/**
 * Sends made-up webhooks through a bolt of its own to a server in this process, before the worker takes partitions: what its
 * first messages need is compiled, and connected to the database, by then. Otherwise the first crowd after a deploy is late, and
 * so is what a worker takes over in a roll.
 *
 * A help, not a condition: it ends after a second, whatever was done.
 * @returns how many messages came through
 */
export async function rehearse({ settings, rows, clock, random }: RehearsalOptions): Promise<number> {
  const receiver = new Receiver();
  try {
    return await rehearseTo(receiver, { settings, rows, clock, random });
  } finally {
    receiver.close();
  }
}

async function rehearseTo(receiver: Receiver, { settings, rows, clock, random }: RehearsalOptions): Promise<number> {
  const url = await receiver.open();
  const network = { allowPrivateAddresses: true };
  const channel: Channel = webhook.build(settings, { clock, network, secretsOf: async () => new Map() });
  const bolt = new SendBolt({
    channel,
    settings: { ...settings, leadMs: LIMIT_MS },
    retry: { giveUpAfterMs: LIMIT_MS, baseMs: LIMIT_MS, capMs: LIMIT_MS },
    lateness: { sendWithinMs: null, onLate: 'send' },
    rows: madeUp(rows, url, clock),
    lease: { session: NOBODY, holds: () => true },
    pauses: { known: () => true, paused: () => false, awaited: () => false, channelPaused: () => false },
    clock,
    databaseClock: { earliest: () => clock.now(), latest: () => clock.now() },
    deploymentId: () => NOBODY,
    random,
    onError: () => undefined,
    onBug: () => undefined,
  });
  try {
    await bolt.open();
    const limit = new AbortController();
    const isOver = clock.sleep(LIMIT_MS, limit.signal).then(() => limit.abort());
    for (let sent = 0; sent < MESSAGES && !limit.signal.aborted; sent += MESSAGES_AT_A_TIME) {
      bolt.execute(Array.from({ length: MESSAGES_AT_A_TIME }, (_, n) => tupleOf(sent + n, clock.now())));
      await Promise.race([receiver.received(sent + MESSAGES_AT_A_TIME), isOver]);
    }
    limit.abort();
    return receiver.count;
  } finally {
    await bolt.close();
    await channel.close();
  }
}

function tupleOf(n: number, now: number): Delivery<Due> {
  const value = {
    id: FIRST_ID + n,
    account: `account-${n % ACCOUNTS}`,
    channel: webhook.name,
    wakeAt: now,
    version: 1,
  };
  return { tuple: { stream: '', partition: 0, offset: n, timestamp: now, value }, ack: () => undefined };
}

/** Whatever is asked for is there; what is written is forgotten. */
function madeUp(table: RehearsalOptions['rows'], url: string, clock: Clock): SendRows {
  const payload = JSON.stringify({ url, headers: { 'x-kind': 'rehearsal' }, body: { text: 'rehearsal '.repeat(20) } });
  const rowOf = (id: number): SendRow => ({
    id,
    account: `account-${(id - FIRST_ID) % ACCOUNTS}`,
    channel: webhook.name,
    payload,
    payloadBytes: Buffer.byteLength(payload),
    dueAt: clock.now(),
    lateFrom: null,
    sendWithinMs: null,
    onLate: null,
    wakeAt: clock.now(),
    version: 1,
    state: 'scheduled',
    attempts: 0,
    firstAttemptAt: null,
    planNumber: 1,
    inDoubt: false,
    doubtSince: null,
    recoveries: 0,
    decided: false,
    updatedAt: '2000-01-01 00:00:00.000000',
    session: null,
  });
  return {
    async read(ids, maxPayloadBytes) {
      await table.read(ids, maxPayloadBytes);
      return ids.map(rowOf);
    },
    async claim(session: string, rows: readonly ClaimRow[], aheadMs: number) {
      await table.claim(session, rows, aheadMs);
      return rows.length;
    },
    settleUnclaimed: async () => [],
    writeBack: async () => [],
    writeAlone: async () => 'written',
    journal: async () => undefined,
    kept: async () => undefined,
    keep: async () => true,
  };
}

/** Takes requests on the loopback interface and counts them. */
class Receiver {
  count = 0;
  private readonly server: Server;
  private awaited: { readonly count: number; readonly reached: () => void } | undefined;

  constructor() {
    this.server = createServer((request, response) => {
      request.resume().on('end', () => {
        response.end();
        this.count++;
        if (this.awaited !== undefined && this.count >= this.awaited.count) this.awaited.reached();
      });
    });
  }

  async open(): Promise<string> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/`;
  }

  received(count: number): Promise<void> {
    return new Promise((resolve) => {
      this.awaited = { count, reached: resolve };
    });
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }
}
