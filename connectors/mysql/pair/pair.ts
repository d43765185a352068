import type { Clock } from '../../../topology/core/clock';
import { Unavailable, UserError } from '../../../topology/core/errors';
import { gtidsOf } from './gtids';
import { Master, type MasterAddress, type MasterState } from './master';

export interface PairOptions {
  readonly masters: readonly [MasterAddress, MasterAddress];
  readonly clock: Clock;
  /** Starts a server again that stopped because its data was replaced. Resolves at once if something else starts it. */
  readonly restart: (name: string) => Promise<void>;
  /** Prints a line about one master. */
  readonly report: (name: string, text: string) => void;
}

/** A server that was started again must answer within this time. */
const RESTART_LIMIT_MS = 90_000;
const POLL_EVERY_MS = 100;

/**
 * Joins two masters so that one is used and the other follows it: at the first start, after a restart of either or both,
 * and after a take-over. Repeating it changes nothing that is as it should be.
 *
 * 1. *Never two that are written to*: the passive master is read-only, and a server starts closed. It is opened here. If it
 *    followed until the active one fell silent and HAProxy leads to it, its first client opens it (`schema.ts`).
 * 2. *The latest term counts*: the active one is the server that took over last. There is no fail-back.
 * 3. *Nothing stale comes back*: the active one receives from nobody. The other follows it only if all transactions that it
 *    ever executed are on the active one too; otherwise its data is replaced by a copy.
 * 4. *Numbers are not used again*: transactions that only the replaced master had are marked as executed on both, so that a
 *    reader of its binlog continues with the survivor's.
 *
 * @throws Unavailable, UserError
 */
export async function joinPair(options: PairOptions): Promise<void> {
  const [one, other] = options.masters;
  const open: Master[] = [];
  try {
    for (const address of [one, other]) open.push(await Master.open(address));
    const [first, second] = open as [Master, Master];
    const states: [MasterState, MasterState] = [await first.look(), await second.look()];
    const active = chooseActive(states) === states[0] ? first : second;
    const [own, others] = active === first ? states : [states[1], states[0]];
    const passive = active === first ? second : first;
    // First of all: while the active one is being opened, nobody may make the passive one take over.
    if (others.active || !own.active) await passive.shut();
    await activate(active, own);
    const stale = await passiveIsStale(active, passive, others);
    if (stale === null) {
      if (!(await passive.follows(active))) await passive.follow(active);
      await standBy(active, passive, options);
    } else {
      const built = await rebuild(active, passive, options, stale);
      open.push(built);
      await standBy(active, built, options);
    }
  } finally {
    for (const master of open) master.close();
  }
}

/**
 * The one of two whose data counts.
 * @throws UserError when the other one holds data that never belonged to the pair
 */
export function chooseActive(states: readonly [MasterState, MasterState]): MasterState {
  const [one, two] = states;
  const latest = (two.term?.number ?? 0) > (one.term?.number ?? 0) ? two : one;
  // A master that knows the latest term followed its holder, or is the holder.
  const active = states.find(({ uuid }) => uuid === latest.term?.holder) ?? latest;
  const other = active === one ? two : one;
  if (other.term === null && other.databases.length > 0) {
    throw new UserError(
      `${other.name} holds databases (${other.databases.join(', ')}) and has never been paired with ${active.name}, whose data would replace them. Remove the data of the one that is not wanted and run \`downspout up\` again.`,
    );
  }
  return active;
}

async function activate(active: Master, state: MasterState): Promise<void> {
  if (state.term === null) await active.makeSchema();
  await active.startClosedFromNowOn();
  const holdsTerm = state.term?.holder === state.uuid;
  if (!state.active || !holdsTerm) await active.activate(!holdsTerm);
}

/** The transactions that only the passive one has; empty when it is new; null when it may follow. */
async function passiveIsStale(active: Master, passive: Master, state: MasterState): Promise<string | null> {
  if (state.term === null) return '';
  return (await active.lacks(await passive.executed())) || null;
}

async function rebuild(active: Master, passive: Master, options: PairOptions, stale: string): Promise<Master> {
  const { report, restart, clock } = options;
  const lost = gtidsOf(stale);
  report(
    passive.name,
    lost.length === 0
      ? `building it from ${active.name}`
      : `building it anew from ${active.name}: it held ${lost.length} transactions that ${active.name} never received; they are given up`,
  );
  await passive.startClosedFromNowOn();
  await passive.copyFrom(active);
  passive.close();
  await restart(passive.name);
  const built = await reopen(passive.address, clock);
  // Not before: an interrupted copy would look as if it had all that the active one has.
  await active.skip(lost);
  await built.follow(active);
  return built;
}

async function standBy(active: Master, passive: Master, { report }: PairOptions): Promise<void> {
  await passive.stand(await active.executed());
  report(active.name, `the active master; ${passive.name} follows it`);
}

async function reopen(address: MasterAddress, clock: Clock): Promise<Master> {
  const limit = clock.monotonic() + RESTART_LIMIT_MS;
  for (;;) {
    try {
      return await Master.open(address);
    } catch (error) {
      if (!(error instanceof Unavailable) || clock.monotonic() > limit) throw error;
      await clock.sleep(POLL_EVERY_MS);
    }
  }
}
