import type { NewMessage } from '../../../connectors/mysql/client/client';
import { systemClock } from '../../../topology/core/clock';
import { Deployment } from '../../support/stack/deployment';
import { until } from '../../support/until';
import { requestsOf } from '../judge/content';
import { messageOf } from '../judge/evidence';
import type { ReceivedRequest, TableHistory } from '../judge/history';
import { judge } from '../judge/judge';
import { RecordingClient } from '../judge/recorder';
import { tableHistory } from '../judge/witnesses';
import { ChangesSeen } from './changes-seen';
import { HaWorld, whenThere } from './ha-world';
import { Writers } from './ha-writers';

/** A trial's messages: some are due together, and others one by one from the same moment on. */
export interface Load {
  readonly burst: number;
  readonly trickleMs: number;
}

/** With a burst, the harm comes amid it; the trickle alone shows how soon sends continue. */
export const loads = {
  burst: { burst: 2_000, trickleMs: 40_000 },
  trickle: { burst: 0, trickleMs: 40_000 },
  short: { burst: 500, trickleMs: 20_000 },
} as const satisfies Record<string, Load>;

const BURST_AHEAD_MS = 5_000;
/** One message of the trickle is due in so many milliseconds. */
const EVERY_MS = 50;
const TRICKLE_BEFORE = 40;
const SETTLING_MS = 180_000;
const LOOK_MS = 100;
/** So long after the harm messages are still due all the time, in the long loads. */
const HEARD_MS = 30_000;
/** Writers have gone on when they have scheduled so many more. */
const MORE = 100;

/** How a fault was felt. Times are milliseconds from the harm. */
export interface Felt {
  /** The longest time without a request since the harm, and until it was over. Claims made before go on being sent meanwhile. */
  readonly silentMs: number;
  readonly sendsAgainMs: number;
  /** Until a client's call succeeded that had begun after the harm. */
  readonly firstWriteMs: number;
  /** Until the change of a message that was scheduled after the harm had come through CDC. */
  readonly firstChangeMs: number;
  /** Calls of clients that ended in Unavailable. */
  readonly refused: number;
  readonly acknowledged: number;
  /** What three witnesses hold against what was promised; empty when all was kept. */
  readonly broken: readonly string[];
}

/** A highly available deployment under load that faults are tried on, and the judge of what it kept. */
export class HaTrial {
  private constructor(
    readonly world: HaWorld,
    readonly deployment: Deployment,
    private readonly changes: ChangesSeen,
  ) {}

  /** @param fromOne whether the stack was one server before, with data */
  static async start(say?: (text: string) => void, fromOne = false): Promise<HaTrial> {
    const world = await HaWorld.start(say, fromOne);
    const deployment = await Deployment.start(['due', 'due', 'webhook', 'webhook'], undefined, async () => world);
    return new HaTrial(world, deployment, await ChangesSeen.start(world.environment));
  }

  async stop(): Promise<void> {
    await this.changes.close();
    await this.deployment.close();
  }

  /** Runs writers beside a load, does `harm`, waits until everything is delivered, and judges. */
  async underLoad(harm: () => Promise<void>, load: Load): Promise<Felt> {
    await this.cleared();
    const writers = new Writers(this.deployment);
    try {
      return await this.beside(writers, harm, load);
    } catch (error) {
      // They may wait for a database that only comes back after this trial.
      void writers.stop();
      throw error;
    }
  }

  private async beside(writers: Writers, harm: () => Promise<void>, load: Load): Promise<Felt> {
    const { deployment } = this;
    const planned = new RecordingClient(deployment.client, systemClock);
    const sentFirst = load.burst > 0 ? load.burst / 10 : TRICKLE_BEFORE;
    const path = load.burst > 0 ? '/burst' : '/trickle';
    await this.plan(planned, load);
    await deployment.receiver.until(
      () => deployment.receiver.journal.filter((request) => request.path.startsWith(path)).length > sentFirst,
    );
    const harmedAt = systemClock.now();
    await harm();
    const later = () => writers.acknowledged.filter(({ begunAt }) => begunAt > harmedAt);
    await until('the writers go on', () => later().length > MORE, SETTLING_MS);
    const sent = () => deployment.receiver.journal.find(({ headers }) => Number(headers['x-due-at']) > harmedAt);
    await until('a message that was due after the harm is sent', () => sent() !== undefined, SETTLING_MS);
    const ids = new Set(later().map(({ id }) => id));
    const changed = () => this.changes.all.find(({ id }) => ids.has(id));
    await until('a change after the harm comes through', () => changed() !== undefined, SETTLING_MS);
    await writers.stop();
    await this.settled();
    return {
      ...silence(
        harmedAt,
        deployment.receiver.journal.map(({ at }) => at),
      ),
      firstWriteMs: Math.min(...later().map(({ scheduledAt }) => scheduledAt)) - harmedAt,
      firstChangeMs: (changed()?.at ?? 0) - harmedAt,
      refused: writers.refused,
      acknowledged: writers.acknowledged.length,
      broken: await this.judged(writers, planned),
    };
  }

  /** A burst that is due in a moment, and messages that are due one by one. */
  private async plan(recorder: RecordingClient, { burst, trickleMs }: Load): Promise<void> {
    const now = systemClock.now();
    const { url } = this.deployment.receiver;
    const together = Array.from({ length: burst }, (_, n): NewMessage & { dueAt: number } => ({
      account: `account-${n % 499}`,
      channel: 'webhook',
      dueAt: now + BURST_AHEAD_MS,
      payload: { url: `${url}/burst-${now}-${n}?delay=50`, body: { n } },
    }));
    const trickle = Array.from({ length: trickleMs / EVERY_MS }, (_, n) => {
      const dueAt = now + BURST_AHEAD_MS + n * EVERY_MS;
      return {
        account: `trickle-${n % 60}`,
        channel: 'webhook' as const,
        dueAt,
        payload: { url: `${url}/trickle-${n}`, headers: { 'x-due-at': String(dueAt) }, body: n },
      };
    });
    await recorder.schedule([...together, ...trickle]);
  }

  private settled(): Promise<void> {
    return until(
      'no row is open',
      () =>
        whenThere(async () => {
          const [row] = await this.deployment.sql.rows<[number]>(
            'SELECT COUNT(*) FROM scheduled_messages WHERE open = 1',
          );
          return row?.[0] === 0;
        }),
      SETTLING_MS,
      LOOK_MS,
    );
  }

  private async judged(writers: Writers, planned: RecordingClient): Promise<string[]> {
    const { deployment } = this;
    const keys = await deployment.sql.rows<[string, number]>(
      'SELECT dedupe_key, id FROM scheduled_messages WHERE dedupe_key IS NOT NULL',
    );
    const ids = new Map(keys);
    const clients = [...planned.history, ...writers.history((key) => ids.get(key))];
    const requests = requestsOf(deployment.receiver.journal);
    const table = await tableHistory(deployment.sql);
    const violations = judge({ clients, requests, table, classes: { webhook: 'idempotent' } });
    const cancels = clients.filter(({ kind, result }) => kind === 'cancel' && result === 'ok');
    const states = Object.keys(await deployment.states()).toSorted();
    return [
      ...violations.map((one) => `${JSON.stringify(one)}${storyOf(one.id, requests, table)}`),
      ...(cancels.length < 5 ? [`only ${cancels.length} cancels succeeded`] : []),
      ...(states.join() === 'canceled,delivered' ? [] : [`rows ended ${states.join(', ')}`]),
    ];
  }

  /** Forgets what was before. After a failover the first connections are found broken. */
  private cleared(): Promise<void> {
    this.changes.all.length = 0;
    return until('the messages of the trial before are gone', () =>
      whenThere(async () => {
        await this.deployment.clear();
        return true;
      }),
    );
  }
}

/** How long messages stood still. @param sent when requests came, epoch milliseconds */
function silence(harmedAt: number, sent: readonly number[]): Pick<Felt, 'silentMs' | 'sendsAgainMs'> {
  // Later there may be nothing to send.
  const around = sent.filter((at) => at > harmedAt && at < harmedAt + HEARD_MS).toSorted((a, b) => a - b);
  let [silentMs, sendsAgainMs] = [0, 0];
  for (const [n, at] of around.entries()) {
    const gapMs = at - (around[n - 1] ?? harmedAt);
    if (gapMs > silentMs) [silentMs, sendsAgainMs] = [gapMs, at - harmedAt];
  }
  return { silentMs, sendsAgainMs };
}

/** What a message went through, to find out who is wrong. */
function storyOf(id: number | null, requests: readonly ReceivedRequest[], { rows, attempts }: TableHistory): string {
  if (id === null) return '';
  return JSON.stringify({
    row: rows.find((row) => row.id === id),
    attempts: attempts.filter((attempt) => attempt.id === id),
    requests: requests.filter(({ key }) => messageOf(key) === id),
  });
}
