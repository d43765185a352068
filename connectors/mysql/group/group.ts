import type { Clock } from '../../../topology/core/clock';
import { reasonOf, Unavailable, UserError } from '../../../topology/core/errors';
import { Member, type MemberAddress, type MemberState } from './member';

export interface GroupOptions {
  readonly members: readonly MemberAddress[];
  /** Of the user with whom the members talk to each other; the same for all, from one start to the next. */
  readonly password: string;
  readonly clock: Clock;
  /** Starts a server again that stopped because its data was replaced. Resolves at once if something else starts it. */
  readonly restart: (name: string) => Promise<void>;
  /** Prints a line about one member. */
  readonly report: (name: string, text: string) => void;
}

/** A copy of all data and the transactions since then must be there within this time. */
const JOIN_LIMIT_MS = 180_000;
/** The first member must have applied what it had received within this time. */
const BEGIN_LIMIT_MS = 180_000;
const POLL_MS = 200;

/**
 * Makes servers one group of MySQL's Group Replication: at the first start, after one was away, and after all were down.
 * Repeating it changes nothing that is as it should be; a member that was away alone has joined by itself.
 *
 * 1. *The member that has most begins*: when no group runs, all must answer, and the one that holds every transaction of all
 *    others is the first. When each lacks some of another's, nothing is started.
 * 2. *Nothing that others lack comes in*: a server with transactions of its own joins only if it holds no data.
 *
 * @throws UserError, Unavailable
 */
export async function startGroup(options: GroupOptions): Promise<void> {
  const { members, report, clock } = options;
  const open: Member[] = [];
  try {
    for (const address of members) open.push(await Member.open(address));
    const states = await Promise.all(open.map((member) => member.look()));
    if (!states.some(({ inGroup }) => inGroup)) {
      const first = await begin(open, states, options);
      states[first] = await (open[first] as Member).look();
    }
    const [reference] = states.filter(({ state, inGroup }) => state === 'ONLINE' && inGroup);
    if (reference === undefined) throw new Unavailable('the group has no member that is ONLINE');
    for (const [index, state] of states.entries()) {
      if (!state.inGroup) await join(open[index] as Member, state, reference, options);
    }
  } finally {
    for (const member of open) member.close();
  }
  const limit = clock.monotonic() + JOIN_LIMIT_MS;
  for (const address of members) await untilOnline(address, limit, options);
  report((members[0] as MemberAddress).name, `${members.length} members are ONLINE in one group`);
}

/**
 * The index of the one that holds all that any of them holds. Servers without data count only if none has any.
 * @param lacks the transactions of `set` that are not in `other`
 * @throws UserError naming what each holds alone
 */
export async function chooseFirst(
  states: readonly MemberState[],
  lacks: (set: string, other: string) => Promise<string>,
): Promise<number> {
  const withData = states.filter(({ holdsData }) => holdsData);
  if (withData.length === 0) return 0;
  const faults: string[] = [];
  for (const state of withData) {
    let missing = '';
    for (const other of withData) missing ||= await lacks(other.transactions, state.transactions);
    if (missing === '') return states.indexOf(state);
    faults.push(`${state.name} lacks ${missing}`);
  }
  throw new UserError(
    `No server has all transactions, so none can begin the group: ${faults.join('; ')}. Decide whose data counts, remove the data of the others and run \`downspout up\` again; docs/operations.md says how to compare them.`,
  );
}

/** @returns the index of the first member */
async function begin(open: readonly Member[], states: readonly MemberState[], options: GroupOptions): Promise<number> {
  const index = await chooseFirst(states, (set, other) => (open[0] as Member).difference(set, other));
  const first = open[index] as Member;
  await first.prepare(options.password, states[index]?.holdsData === false);
  await first.bootstrap();
  await untilWritable(first, options.clock);
  await first.furnish();
  options.report(first.name, 'begins the group');
  return index;
}

async function join(
  member: Member,
  state: MemberState,
  { name, transactions }: MemberState,
  { password, report }: GroupOptions,
): Promise<void> {
  const alone = await member.difference(state.transactions, transactions);
  await member.prepare(password, joinsAsNew(state, alone));
  report(member.name, `joins the group of ${name}`);
  await member.join();
}

/**
 * Whether what a server has done so far counts as nothing.
 * @param alone the transactions that only it has
 * @throws UserError when it holds data that the group never had
 */
export function joinsAsNew({ name, holdsData }: Pick<MemberState, 'name' | 'holdsData'>, alone: string): boolean {
  if (holdsData && alone !== '') {
    throw new UserError(
      `${name} holds transactions that the group never had (${alone}), so it cannot join. Remove its data and run \`downspout up\` again: it is then copied from the group.`,
    );
  }
  return !holdsData;
}

/**
 * Waits for a member that begins a group: it is read-only until it has applied all that it had received before it was killed.
 * @throws UserError when it takes too long
 */
export async function untilWritable(
  member: Pick<Member, 'name' | 'isWritable'>,
  clock: Pick<Clock, 'monotonic' | 'sleep'>,
): Promise<void> {
  const limit = clock.monotonic() + BEGIN_LIMIT_MS;
  while (!(await member.isWritable())) {
    if (clock.monotonic() > limit) {
      throw new UserError(
        `${member.name} began the group and takes no writes after ${BEGIN_LIMIT_MS / 1_000} s. Its log says why; run \`downspout up\` again.`,
      );
    }
    await clock.sleep(POLL_MS);
  }
}

/** A member that copied all data has stopped and needs a start; it then joins by itself. */
async function untilOnline(address: MemberAddress, limit: number, { clock, restart }: GroupOptions): Promise<void> {
  let last = 'it does not answer';
  let restarted = false;
  while (clock.monotonic() < limit) {
    try {
      const member = await Member.open(address);
      try {
        const { state } = await member.look();
        if (state === 'ONLINE') return;
        last = `it is ${state}`;
      } finally {
        member.close();
      }
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      last = reasonOf(error);
      if (!restarted) await restart(address.name);
      restarted = true;
    }
    await clock.sleep(POLL_MS);
  }
  throw new UserError(
    `${address.name} did not join the group within ${JOIN_LIMIT_MS / 1_000} s: ${last}. Its log says why; run \`downspout up\` again.`,
  );
}
