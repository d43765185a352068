import { type ProvidedName, providedAccounts, providedNames } from './provided-channels';
import { seededRandom } from './random';

/** All times of a script are milliseconds from the start of the demo's minute. */
export interface ScriptedMessage {
  /** Names the message for the client, the receiver and the judge. */
  readonly key: string;
  readonly channel: 'webhook' | ProvidedName;
  readonly account: string;
  /** When the application writes it. */
  readonly scheduleAt: number;
  readonly dueAt: number;
}

export type ScriptedChange =
  | { readonly kind: 'cancel'; readonly key: string; readonly at: number }
  /** New content, and a new time where `dueAt` is given. */
  | { readonly kind: 'edit'; readonly key: string; readonly at: number; readonly dueAt?: number };

interface Burst {
  /** What it stands for in the day that the minute plays. */
  readonly name: string;
  readonly at: number;
  readonly count: number;
}

export interface DemoScript {
  /** Ordered by `scheduleAt`. */
  readonly messages: readonly ScriptedMessage[];
  /** Ordered by `at`. */
  readonly changes: readonly ScriptedChange[];
  readonly bursts: readonly Burst[];
  /** When the last message is due. */
  readonly endsAt: number;
}

const BURSTS: readonly Burst[] = [
  { name: '9:00', at: 22_000, count: 2_000 },
  { name: '11:00', at: 46_000, count: 2_000 },
];
const ENDS_AT_MS = 60_000;
/** Messages per second beside the bursts. */
const TRICKLE_PER_SECOND = 12;
const ACCOUNTS = 300;
const EDITS = 240;
const CANCELS = 160;
/** Between two messages of an account on a channel with a provider. */
const PROVIDED_EVERY_MS = 6_000;
/** How long before their time these are written, at least, so that their order is promised. */
const PROVIDED_AHEAD_MS = 5_000;
/** Around a round hour none of them is due. */
const AROUND_BURST_MS = 3_000;

/**
 * A day's shape in a minute: a trickle of webhooks, two round hours at which many are due at one instant, people who change their minds
 * on the way, and a few messages on channels with providers. The same seed gives the same script.
 *
 * @param run begins every key, so that the messages of two runs are not taken for each other
 */
export function writeDemoScript(seed: number, run = 'demo'): DemoScript {
  const random = seededRandom(seed);
  const webhooks = [
    ...trickle(run, random),
    ...BURSTS.flatMap((burst, index) => burstMessages(run, burst, index, random)),
  ];
  webhooks.sort(inOrder);
  const changed = changes(webhooks, random);
  const messages = [...webhooks, ...provided(run, random)].toSorted(inOrder);
  return { messages, changes: changed, bursts: BURSTS, endsAt: ENDS_AT_MS };
}

function trickle(run: string, random: () => number): ScriptedMessage[] {
  const count = Math.round((ENDS_AT_MS / 1_000) * TRICKLE_PER_SECOND);
  return Array.from({ length: count }, (_, index) => {
    const dueAt = Math.round(3_000 + random() * (ENDS_AT_MS - 3_000));
    // From an hour ahead in the day that is played (here: at the start) to "send it now".
    const ahead = random() < 0.1 ? 0 : Math.round(random() * 20_000);
    const scheduleAt = Math.max(0, dueAt - ahead);
    return { key: `${run}-trickle-${index}`, channel: 'webhook', account: account(random), scheduleAt, dueAt };
  });
}

function burstMessages(run: string, burst: Burst, index: number, random: () => number): ScriptedMessage[] {
  return Array.from({ length: burst.count }, (_, message) => ({
    key: `${run}-burst${index + 1}-${message}`,
    channel: 'webhook',
    account: account(random),
    scheduleAt: Math.round(random() * Math.min(8_000, burst.at - 10_000)) + (index === 0 ? 0 : 10_000),
    dueAt: burst.at,
  }));
}

/** Of each account of each such channel: some through the minute, and one at the last round hour, beside the crowd. */
function provided(run: string, random: () => number): ScriptedMessage[] {
  const last = Math.max(...BURSTS.map(({ at }) => at));
  return providedNames.flatMap((channel) =>
    providedAccounts.flatMap((owner, index) => {
      const offset = PROVIDED_AHEAD_MS + (index / providedAccounts.length) * PROVIDED_EVERY_MS;
      const count = Math.floor((ENDS_AT_MS - offset) / PROVIDED_EVERY_MS);
      const spread = Array.from({ length: count }, (_, n) => offset + (n + random() / 2) * PROVIDED_EVERY_MS);
      const apart = spread.filter((dueAt) => BURSTS.every(({ at }) => Math.abs(dueAt - at) > AROUND_BURST_MS));
      return [...apart, last].map((exact, n) => {
        const dueAt = Math.round(exact);
        const scheduleAt = Math.max(0, Math.round(dueAt - PROVIDED_AHEAD_MS - random() * 10_000));
        return { key: `${run}-${channel}-${index}-${n}`, channel, account: owner, scheduleAt, dueAt };
      });
    }),
  );
}

function inOrder(a: ScriptedMessage, b: ScriptedMessage): number {
  return a.scheduleAt - b.scheduleAt || a.dueAt - b.dueAt;
}

/** Accounts of uneven size: the square favours the first ones. */
function account(random: () => number): string {
  return `account-${Math.floor(random() ** 2 * ACCOUNTS)}`;
}

/** Each message is changed at most once, between the writing and its time: some long before, some in the last moment. */
function changes(messages: readonly ScriptedMessage[], random: () => number): ScriptedChange[] {
  const candidates = shuffled(
    messages.filter((message) => message.dueAt - message.scheduleAt > 4_000),
    random,
  ).slice(0, EDITS + CANCELS);
  const planned = candidates.map((message, index): ScriptedChange => {
    const { key, dueAt } = message;
    const lastMoment = random() < 0.25;
    const from = lastMoment ? dueAt - 1_500 : message.scheduleAt + 1_500;
    const until = lastMoment ? dueAt + 200 : dueAt - 1_500;
    const at = Math.round(from + random() * (until - from));
    if (index < CANCELS) return { kind: 'cancel', key, at };
    if (random() < 0.5) return { kind: 'edit', key, at };
    const moved = Math.min(ENDS_AT_MS, Math.round(Math.max(at, dueAt) + random() * 8_000));
    return { kind: 'edit', key, at, dueAt: moved };
  });
  return planned.toSorted((a, b) => a.at - b.at);
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const copy = [...items];
  for (let last = copy.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    [copy[last], copy[other]] = [copy[other] as T, copy[last] as T];
  }
  return copy;
}
