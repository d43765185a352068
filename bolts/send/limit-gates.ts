import type { DatabaseClock } from '../../topology/core/clock';
import {
  APP,
  appNamed,
  isCredible,
  isNamedApp,
  KEPT_FOR_MS,
  type Limits,
  MAX_HOLD_MS,
  type Unmade,
} from '../../topology/core/limits';
import { putNewest } from '../../topology/core/newest';
import type { Hold } from '../../topology/message';
import type { Channel } from '../channel';
import type { HeldRow } from '../held-row';
import type { SendLimits } from '../send-limits';

export interface LimitGatesOptions {
  /** Undefined where none is known: then nothing is asked of the database before a claim. */
  readonly limits: Limits | undefined;
  readonly sendLimits: SendLimits | undefined;
  readonly channel: Pick<Channel, 'appOf' | 'warm'>;
  readonly databaseClock: DatabaseClock;
  readonly onError: (what: string, error: unknown) => void;
}

/**
 * What keeps an account waiting for longer is looked for in the database again after that, because a person may have ended it. More than
 * rows are kept for.
 */
const KNOWN_FOR_MS = 30_000;
/** Until it is asked again what may begin, after the database did not say. */
const UNANSWERED_MS = 250;
/** What is held for less longer than is known already is not written again: the requests that were under way are refused too. */
const MIN_LONGER_MS = 1_000;
/** How long an account that was refused goes on with one request at a time, once its provider takes something of it again. */
const ALONE_MS = 3_600_000;
/** Accounts that do so, or that a named app keeps waiting; of what is forgotten a few more requests are refused. */
const MAX_ALONE = 10_000;
/** What stands for an account whose name is empty, or an app's, which plain SQL may write: it would be taken for all accounts of one. */
const NAMELESS = '(no name)';
/** Accounts of which it is known when they last had their turn. */
const MAX_SERVED = 10_000;
/** Accounts that are held at once because their app is. */
const MAX_GATED = 100;
/** Of one statement: the requests of so many messages are given back. */
const MAX_GIVEN_BACK = 500;

/**
 * Which accounts may begin no request now, because they are at a limit. Epoch milliseconds by the database's clock.
 *
 * 1. *No claim without having been allowed*: what a limit refuses is not claimed, so it costs no attempt and no slot.
 * 2. *What was allowed and came to no request is not counted*: a claim that is lost again and again, or a provider that cannot be
 *    reached, would use up a limit of the day, and that of an app for everybody.
 * 3. *What a provider has said holds at once here, and soon everywhere*: one request is refused, and those that were under way with it.
 * 4. *A person may end that*: what is known here counts for half a minute, and then what the database says.
 */
export class LimitGates {
  /** When the account may begin a request again. Where it is gone by nothing is known. */
  private readonly opensAt = new Map<string, number>();
  /** Until when the provider takes nothing of it, and until when that counts here. */
  private readonly heldUntil = new Map<string, { readonly said: number; readonly counts: number }>();
  /** Until when requests of the account are made one at a time. */
  private readonly aloneUntil = new Map<string, number>();
  /** Accounts in the order of their last turns, with the numbers of these. */
  private readonly served = new Map<string, number>();
  private turns = 0;
  /** What is to be given back. */
  private unmade: Unmade[] = [];
  private isGivingBack = false;
  /** Accounts that a named app keeps waiting: they are yet to be held themselves, because spouts do not know whose they are. */
  private readonly closedByApp = new Set<string>();
  /** Whose hold could not be written, and until when it is. */
  private readonly unwritten = new Map<string, number>();

  constructor(private readonly options: LimitGatesOptions) {}

  /** There are limits to ask for before a claim. */
  get areKnown(): boolean {
    return this.options.limits !== undefined && this.options.sendLimits !== undefined;
  }

  /** What accounts have together is limited, so they take turns. */
  get areShared(): boolean {
    return this.options.limits?.perApp !== undefined;
  }

  /** No request of the account may begin now. */
  isClosed(account: string): boolean {
    return !this.areAllOpen && this.opens(account) > this.options.databaseClock.earliest();
  }

  /** It is closed for so long that its rows do not wait for it here. */
  isClosedForLong(account: string): boolean {
    return !this.areAllOpen && this.opens(account) > this.options.databaseClock.earliest() + KEPT_FOR_MS;
  }

  /** Its provider takes nothing of it now, also not of what was allowed before. */
  isHeld(account: string): boolean {
    if (this.heldUntil.size === 0) return false;
    return this.held(account) > this.options.databaseClock.earliest();
  }

  /** Its provider has refused requests that were made beside each other, so it is given one at a time. */
  goesAlone(account: string): boolean {
    if (this.aloneUntil.size === 0) return false;
    return this.isAlone(nameOf(account)) || this.isAlone(this.appOf(account));
  }

  /**
   * Divides rows that are to be claimed into those that may begin and those that may not now; of each account the first may.
   * Nothing is asked of the database where no limit is known, nor for rows of which no request is made.
   */
  async take(batch: readonly HeldRow[]): Promise<{ readonly taken: readonly HeldRow[]; readonly refused: HeldRow[] }> {
    const { limits, sendLimits, channel, onError, databaseClock } = this.options;
    if (limits === undefined || sendLimits === undefined) return { taken: batch, refused: [] };
    const left = new Map<string, number>();
    for (const { account: its, defect } of batch) {
      const account = nameOf(its);
      if (defect === undefined) left.set(account, (left.get(account) ?? 0) + 1);
    }
    if (left.size === 0) return { taken: batch, refused: [] };
    let allowedAt: number | undefined;
    // Of an account whose credentials are not known yet, nobody could say for which app its first messages count.
    if (channel.appOf !== undefined) await channel.warm(batch.map(({ account }) => account)).catch(() => undefined);
    const apps = new Map(batch.map(({ account }) => [nameOf(account), this.appOf(account)]));
    const wants = this.inTurn([...left].map(([account, count]) => ({ account, count, ...named(apps.get(account)) })));
    try {
      const { allowed, opensAt, at, uncounted } = await sendLimits.take(limits, wants);
      allowedAt = at;
      if (uncounted !== undefined) onError('count what limits allow', uncounted);
      for (const { account } of wants) {
        this.opensAt.delete(account);
        left.set(account, allowed.get(account) ?? 0);
        if (left.get(account) !== 0) this.serve(account);
      }
      if (wants.some(({ app = APP }) => app === APP)) this.opensAt.delete(APP);
      const most = databaseClock.earliest() + KNOWN_FOR_MS;
      for (const [account, opens] of opensAt) this.opensAt.set(account, Math.min(opens, most));
    } catch (error) {
      onError('take what limits allow', error);
      const again = databaseClock.earliest() + UNANSWERED_MS;
      for (const { account } of wants) {
        left.set(account, 0);
        this.opensAt.set(account, Math.max(again, this.opensAt.get(account) ?? 0));
      }
    }
    const taken: HeldRow[] = [];
    const refused: HeldRow[] = [];
    for (const row of batch) {
      const account = nameOf(row.account);
      const count = left.get(account) ?? 0;
      if (row.defect === undefined && count === 0) refused.push(row);
      else {
        taken.push(row);
        if (row.defect !== undefined) continue;
        left.set(account, count - 1);
        row.allowed = allowedAt === undefined ? undefined : { at: allowedAt, ...named(apps.get(account)) };
      }
    }
    return { taken, refused };
  }

  /** No request came of the row since it was allowed. */
  unused(row: HeldRow): void {
    const { allowed } = row;
    if (allowed === undefined) return;
    row.allowed = undefined;
    // Its app may be another one by now, or not be known: taken off that, it would let more begin there than may.
    this.unmade.push({ account: nameOf(row.account), count: 1, ...allowed });
    if (!this.isGivingBack) void this.giveBack();
  }

  /** A provider has said that it takes nothing for a while. @param isRefusal it has said so by refusing a request */
  hold(account: string, hold: Hold, isRefusal: boolean): void {
    const app = this.appOf(account);
    if (hold.of === 'app') this.holdOne(app, hold, isRefusal);
    // Spouts do not know whose a named app is.
    if (hold.of === 'account' || app !== APP) this.holdOne(nameOf(account), hold, isRefusal);
  }

  private holdOne(whose: string, { ms, aloneMs }: Omit<Hold, 'of'>, isRefusal: boolean): void {
    const { databaseClock } = this.options;
    const heldMs = Math.min(ms, MAX_HOLD_MS);
    const until = databaseClock.latest() + heldMs;
    const { said: known } = this.heldUntil.get(whose) ?? { said: 0 };
    const isLonger = aloneMs !== undefined && this.isAlone(whose);
    if ((isRefusal || isLonger) && Number.isFinite(until)) this.goAlone(whose, until + (aloneMs ?? ALONE_MS));
    if (!Number.isFinite(until) || until <= known) return;
    this.heldUntil.set(whose, { said: until, counts: Math.min(until, databaseClock.latest() + KNOWN_FOR_MS) });
    if (until < known + MIN_LONGER_MS) return;
    this.write(whose, heldMs, until);
  }

  /** Forgets what is over, and writes what could not be written. */
  sweep(): void {
    const now = this.options.databaseClock.earliest();
    for (const account of [...this.closedByApp].slice(0, MAX_GATED)) {
      this.closedByApp.delete(account);
      const ms = (this.heldUntil.get(this.appOf(account))?.said ?? 0) - now;
      if (ms > 0) this.holdOne(nameOf(account), { ms }, false);
    }
    const unwritten = [...this.unwritten];
    this.unwritten.clear();
    for (const [whose, until] of unwritten) if (until > now) this.write(whose, until - now, until);
    for (const [account, { counts }] of this.heldUntil) {
      if (counts <= now || !isCredible(counts, now)) this.heldUntil.delete(account);
    }
    for (const map of [this.opensAt, this.aloneUntil]) {
      for (const [account, at] of map) if (at <= now || !isCredible(at, now)) map.delete(account);
    }
  }

  private write(whose: string, ms: number, until: number): void {
    const { sendLimits, onError } = this.options;
    sendLimits?.hold(whose, ms).catch((error: unknown) => {
      onError('hold an account', error);
      this.unwritten.set(whose, until);
    });
  }

  private isAlone(whose: string): boolean {
    return (this.aloneUntil.get(whose) ?? 0) > this.options.databaseClock.earliest();
  }

  private goAlone(account: string, until: number): void {
    const longest = Math.max(until, this.aloneUntil.get(account) ?? 0);
    this.aloneUntil.delete(account);
    this.aloneUntil.set(account, longest);
    if (this.aloneUntil.size > MAX_ALONE) this.aloneUntil.delete(this.aloneUntil.keys().next().value as string);
  }

  private async giveBack(): Promise<void> {
    const { limits, sendLimits, onError } = this.options;
    if (limits === undefined || sendLimits === undefined) return;
    this.isGivingBack = true;
    // What comes in the same tick goes with it.
    await Promise.resolve();
    while (this.unmade.length > 0) {
      const unmade = this.unmade.splice(0, MAX_GIVEN_BACK);
      try {
        await sendLimits.giveBack(limits, unmade);
        // Nobody knows here which accounts wait for a named app: the database says it of those that are closed still.
        if (unmade.some(({ app }) => app !== undefined)) this.opensAt.clear();
        for (const account of [APP, ...unmade.map((one) => one.account)]) this.opensAt.delete(account);
      } catch (error) {
        // It stays counted: the answer alone may be lost.
        onError('give back what limits allowed', error);
      }
    }
    this.isGivingBack = false;
  }

  private get areAllOpen(): boolean {
    return this.opensAt.size === 0 && this.heldUntil.size === 0;
  }

  private opens(account: string): number {
    const { opensAt } = this;
    const name = nameOf(account);
    if (this.appOf(account) === APP) return Math.max(opensAt.get(name) ?? 0, opensAt.get(APP) ?? 0, this.held(account));
    // Whoever asks the database hears of a named app there, and its account is gated.
    const [own, held] = [this.heldUntil.get(name)?.counts ?? 0, this.areKnown ? 0 : this.held(account)];
    if (held > own && this.closedByApp.size < MAX_ALONE) this.closedByApp.add(account);
    return Math.max(opensAt.get(name) ?? 0, own, held);
  }

  private held(account: string): number {
    const [own, ofApp] = [nameOf(account), this.appOf(account)].map((name) => this.heldUntil.get(name)?.counts ?? 0);
    return Math.max(own ?? 0, ofApp ?? 0);
  }

  /** What stands for the account's app. Where credentials may name one, that of those that name none is one of several: the channel goes on. */
  private appOf(account: string): string {
    const { channel } = this.options;
    return channel.appOf === undefined ? APP : appNamed(channel.appOf(account) ?? '');
  }

  /** Whose last turn is longest ago comes first. */
  private inTurn<T extends { readonly account: string }>(wants: readonly T[]): readonly T[] {
    if (!this.areShared || wants.length === 1) return wants;
    const turnOf = ({ account }: T) => this.served.get(account) ?? -1;
    return wants.toSorted((one, other) => turnOf(one) - turnOf(other));
  }

  private serve(account: string): void {
    if (!this.areShared) return;
    putNewest(this.served, account, this.turns++, MAX_SERVED);
  }
}

function nameOf(account: string): string {
  return account === APP || isNamedApp(account) ? NAMELESS : account;
}

function named(app: string | undefined): { readonly app?: string } {
  return app === undefined || app === APP ? {} : { app };
}
