import { durationText } from './quantities';

/** So many requests within any time of this length. */
interface Rate {
  readonly count: number;
  readonly windowMs: number;
}

/** What may be sent of one account, or of all of them together: every rate holds, and two requests begin `gapMs` apart. */
export interface Quota {
  readonly rates: readonly Rate[];
  readonly gapMs: number;
}

/** How much a channel may send ahead of any refusal of its provider. */
export interface Limits {
  readonly perAccount?: Quota | undefined;
  /** Of all accounts of one app together: what the provider allows the app by which they are connected. */
  readonly perApp?: Quota | undefined;
}

/**
 * What counts for a channel.
 * @param own of its component
 * @param ofKind of its kind, for what the component does not say
 */
export function channelLimits(own: Limits | undefined, ofKind: Limits | undefined): Limits | undefined {
  const perAccount = unlessEmpty(own?.perAccount ?? ofKind?.perAccount);
  const perApp = unlessEmpty(own?.perApp ?? ofKind?.perApp);
  return perAccount === undefined && perApp === undefined ? undefined : { perAccount, perApp };
}

/** `perAccount 100/15min, 250/1d, gap 2s; perApp none`. */
export function limitsText({ perAccount, perApp }: Limits): string {
  const scopes = Object.entries({ perAccount, perApp });
  return scopes.flatMap(([scope, quota]) => (quota === undefined ? [] : [`${scope} ${quotaText(quota)}`])).join('; ');
}

function quotaText({ rates, gapMs }: Quota): string {
  const all = rates.map(({ count, windowMs }) => `${count}/${durationText(windowMs)}`);
  return [...all, ...(gapMs === 0 ? [] : [`gap ${durationText(gapMs)}`])].join(', ') || 'none';
}

function unlessEmpty(quota: Quota | undefined): Quota | undefined {
  return quota === undefined || (quota.rates.length === 0 && quota.gapMs === 0) ? undefined : quota;
}

/** In place of an account's name: the app of all accounts of a channel whose credentials can name none. No account has it. */
export const APP = '';
/** Begins, in place of an account's name, that of an app which credentials name. No account's begins so. */
export const NAMED_APP = '\u0001';
/** Of a name, in characters. */
const MAX_NAME = 64;

/** What stands in place of an account's name for an app. @param id by which its provider knows it; empty for that of credentials that name none */
export function appNamed(id: string): string {
  return `${NAMED_APP}${id}`.slice(0, MAX_NAME);
}

/** It is no account's name, but stands for an app that credentials name. */
export function isNamedApp(name: string): boolean {
  return name.startsWith(NAMED_APP);
}

/** When the last request was allowed, and by the length of a rate how many were in which slice of time. Epoch milliseconds. */
export interface Used {
  readonly lastAt: number;
  readonly slices: Readonly<Record<string, readonly (readonly [slice: number, count: number])[]>>;
  /** Of an app: the two accounts that have wanted something last, and when. */
  readonly latest?: readonly (readonly [account: string, at: number])[];
}

/** What the database has of an account, or of the app. */
export interface LimitState {
  readonly used: Used;
  /** Until then the provider takes nothing, as it said itself. Epoch milliseconds, 0 when it has said nothing. */
  readonly heldUntil: number;
}

export const UNUSED: LimitState = { used: { lastAt: 0, slices: {} }, heldUntil: 0 };

/** Requests that are to begin now. */
export interface Want {
  readonly account: string;
  readonly count: number;
  /** In place of an account's name: that of its app, {@link APP} unless it is given. */
  readonly app?: string;
}

/** Requests that were allowed and not made. */
export interface Unmade extends Want {
  /** When they were allowed, by the database's clock. */
  readonly at: number;
}

export interface Allowed {
  /** How many of them may begin, by account. */
  readonly allowed: ReadonlyMap<string, number>;
  /** What is used now, where that changed. */
  readonly used: ReadonlyMap<string, Used>;
  /** Who may begin no more, and when one of his requests may again. Epoch milliseconds by the database's clock. */
  readonly opensAt: ReadonlyMap<string, number>;
  /** Whose messages spouts are not to emit before then. Never before `opensAt`. */
  readonly gates: ReadonlyMap<string, number>;
}

/** What waits for less is kept by a bolt, and goes on there in its order. */
export const KEPT_FOR_MS = 20_000;
/** Nobody but the bolt needs to know of a gate that is over so soon. */
const MIN_GATE_MS = 5_000;
/** A provider that asks for more is asked again after that. */
export const MAX_HOLD_MS = 86_400_000;
/** No gate is longer: a rate has a week at most, and its last slice. */
const MAX_GATE_MS = 8 * MAX_HOLD_MS;
/** A rate is counted in so many slices of its time, and one more. */
const SLICES = 16;
/** A rate of the app that is at least so long is shared by its accounts: who finds it used up would wait for hours. */
const SHARED_FROM_MS = 3_600_000;
/** From when a request is allowed until it begins: its lane may have no room. */
const MAX_MARGIN_MS = 10_000;
const MARGIN_PART = 1 / 10;

/**
 * Says how many of the requests may begin now, and counts them as used.
 *
 * 1. *Never more than `count` in any time of the length of a rate*, wherever the provider's own windows begin. A slice is
 *    counted until all of it is over, and a tenth of the time is added, because a request begins somewhat later than it is allowed.
 * 2. *What the app is allowed is divided in turns*: every account has one before another has its second.
 * 3. *Where there are several accounts, none uses more of the app's day than it leaves*, so there is always some for those whose
 *    messages come later. The same holds for every rate of the app of an hour or longer.
 * 4. *Each app by itself*: what the accounts of one have used is none of another's. An app that credentials name gates its accounts, because
 *    spouts do not know whose they are.
 *
 * @param wants in the order of their turns
 * @param now by the database's clock
 */
export function allow(
  states: ReadonlyMap<string, LimitState>,
  limits: Limits,
  wants: readonly Want[],
  now: number,
): Allowed {
  const all = appsOf(wants).map((app) =>
    allowOf(
      app,
      states,
      limits,
      wants.filter((want) => (want.app ?? APP) === app),
      now,
    ),
  );
  const [only] = all;
  if (only !== undefined && all.length === 1) return only;
  return {
    allowed: inOne(all.map(({ allowed }) => allowed)),
    used: inOne(all.map(({ used }) => used)),
    opensAt: inOne(all.map(({ opensAt }) => opensAt)),
    gates: inOne(all.map(({ gates }) => gates)),
  };
}

function inOne<T>(maps: readonly ReadonlyMap<string, T>[]): ReadonlyMap<string, T> {
  return new Map(maps.flatMap((one) => [...one]));
}

/** Whose accounts want something. */
export function appsOf(wants: readonly Pick<Want, 'app'>[]): readonly string[] {
  return [...new Set(wants.map(({ app = APP }) => app))].toSorted();
}

function allowOf(
  its: string,
  states: ReadonlyMap<string, LimitState>,
  { perAccount, perApp }: Limits,
  wants: readonly Want[],
  now: number,
): Allowed {
  const stateOf = (account: string): LimitState => {
    const { used, heldUntil } = states.get(account) ?? UNUSED;
    return { used, heldUntil: isCredible(heldUntil, now) ? heldUntil : 0 };
  };
  const app = stateOf(its);
  const latest = latestOf(app.used, wants, now);
  const shared = latest.length > 1 ? sharedRates(perApp) : [];
  const own = wants.map(({ account, count }) => {
    const state = stateOf(account);
    const parts = shared.map((rate) => partOf(rate, state.used, app.used, now));
    return { account, count: Math.min(count, freeOf(perAccount, state, now), ...parts) };
  });
  const allowed = inTurns(own, freeOf(perApp, app, now));
  const used = new Map<string, Used>();
  const opensAt = new Map<string, number>();
  const gates = new Map<string, number>();
  const count = (account: string, counting: Quota | undefined, got: number): Used => {
    const before = stateOf(account).used;
    if (counting === undefined || got === 0) return before;
    const after = usedWith(counting, before, got, now);
    used.set(account, after);
    return after;
  };
  const close = (account: string, refused: number, when: (more: number) => number) => {
    const { heldUntil } = stateOf(account);
    const opens = Math.max(heldUntil, when(1));
    if (opens <= now) return;
    opensAt.set(account, opens);
    if (refused === 0 && opens < now + MIN_GATE_MS) return;
    gates.set(account, Math.max(opens, Math.min(when(refused), now + KEPT_FOR_MS)));
  };
  const whenOf = (quota: Quota | undefined, after: Used, more: number) =>
    quota === undefined ? 0 : whenFree(quota, after, more, now);
  const total = [...allowed.values()].reduce((sum, one) => sum + one, 0);
  const ofApp = count(its, perApp, total);
  if (perApp !== undefined && (total > 0 || isNews(latest, app.used, now))) used.set(its, { ...ofApp, latest });
  const counting = countedOf({ perAccount, perApp });
  let refusedByApp = 0;
  for (const [index, { account, count: most }] of own.entries()) {
    const got = allowed.get(account) ?? 0;
    refusedByApp += most - got;
    const after = count(account, counting, got);
    const { count: wanted } = wants[index] as Want;
    const isNamed = its !== APP;
    close(account, wanted - (isNamed ? got : most), (more) =>
      Math.max(
        whenOf(perAccount, after, more),
        ...shared.map((rate) => whenPart(rate, after, ofApp, now)),
        ...(isNamed ? [app.heldUntil, whenOf(perApp, ofApp, more)] : []),
      ),
    );
  }
  if (its === APP) close(APP, refusedByApp, (more) => whenOf(perApp, ofApp, more));
  return { allowed, used, opensAt, gates };
}

/** The accounts of an app that have wanted something last, two at most, as far as anybody remembers. */
function latestOf({ latest = [] }: Used, wants: readonly Want[], now: number): NonNullable<Used['latest']> {
  const others = latest.filter(
    ([account, at]) => at > now - MAX_GATE_MS && wants.every((one) => one.account !== account),
  );
  return [...wants.map(({ account }) => [account, now] as const), ...others].slice(0, 2);
}

/** It is written now and then only, where nothing else is. */
function isNews(latest: NonNullable<Used['latest']>, { latest: before = [] }: Used, now: number): boolean {
  return latest.some(([account]) => !before.some(([known, at]) => known === account && at > now - SHARED_FROM_MS));
}

/**
 * What is used once requests that were not made count no more. They are taken off the slice in which they were counted, because any
 * other one may be of requests that were made.
 */
export function usedWithout(
  states: ReadonlyMap<string, LimitState>,
  { perAccount, perApp }: Limits,
  unmade: readonly Unmade[],
): ReadonlyMap<string, Used> {
  const all = new Map<string, Used>();
  const takeOff = (account: string, quota: Quota | undefined, { at, count }: Unmade) => {
    const used = all.get(account) ?? states.get(account)?.used;
    if (quota === undefined || used === undefined) return;
    const slices = quota.rates.map((rate) => {
      const slice = Math.floor(at / sliceMs(rate));
      const counts = used.slices[String(rate.windowMs)] ?? [];
      const left = counts.map(([of, before]) => [of, of === slice ? before - count : before] as const);
      return [String(rate.windowMs), left.filter(([, more]) => more > 0)] as const;
    });
    // Where there is a gap, one at a time is allowed: the one before it was long enough ago.
    all.set(account, { ...used, lastAt: used.lastAt === at ? 0 : used.lastAt, slices: Object.fromEntries(slices) });
  };
  const counting = countedOf({ perAccount, perApp });
  for (const one of unmade) {
    takeOff(one.account, counting, one);
    takeOff(one.app ?? APP, perApp, one);
  }
  return all;
}

/** Nothing more might begin of an app that credentials name, and something may once requests that were not made count no more. */
export function hasOpened(
  states: ReadonlyMap<string, LimitState>,
  limits: Limits,
  unmade: readonly Unmade[],
  now: number,
): boolean {
  const { perApp } = limits;
  if (perApp === undefined) return false;
  const isFull = (used: Used) => freeOf({ ...perApp, gapMs: 0 }, { used, heldUntil: 0 }, now) === 0;
  const after = usedWithout(states, limits, unmade);
  return appsOf(unmade).some((app) => {
    const [before, left] = [states.get(app)?.used, after.get(app)];
    return isNamedApp(app) && before !== undefined && left !== undefined && isFull(before) && !isFull(left);
  });
}

/** What is counted of each account: for its own limits, and for its part of the app's. Undefined where nothing is. */
export function countedOf({ perAccount, perApp }: Limits): Quota | undefined {
  const own = perAccount?.rates ?? [];
  const more = sharedRates(perApp).filter(({ windowMs }) => own.every((rate) => rate.windowMs !== windowMs));
  if (perAccount === undefined && more.length === 0) return undefined;
  return { rates: [...own, ...more], gapMs: perAccount?.gapMs ?? 0 };
}

/** How many tuples of an account a spout may have pending: what may begin before the bolt would give the rest back. */
export function mostAtOnce({ perAccount, perApp }: Limits): number {
  const most = [perAccount, perApp].flatMap((quota) => [
    ...(quota?.rates ?? []).map(({ count, windowMs }) => count * Math.max(1, Math.floor(KEPT_FOR_MS / windowMs))),
    ...(quota === undefined || quota.gapMs === 0 ? [] : [Math.floor(KEPT_FOR_MS / quota.gapMs)]),
  ]);
  return Math.max(1, Math.min(...most));
}

/** How long before it begins a request may be allowed: no longer than what is added to each rate, and not at all where there is a gap. */
export function maxAheadMs({ perAccount, perApp }: Limits): number {
  const quotas = [perAccount, perApp].flatMap((quota) => quota ?? []);
  if (quotas.some(({ gapMs }) => gapMs > 0)) return 0;
  return Math.min(...quotas.flatMap(({ rates }) => rates.map(marginMs)));
}

function sharedRates(perApp: Quota | undefined): readonly Rate[] {
  return (perApp?.rates ?? []).filter(({ windowMs }) => windowMs >= SHARED_FROM_MS);
}

/** How many more an account may have of what all have together: as many as leave the others what it has itself, and always a first one. */
function partOf(rate: Rate, own: Used, app: Used, now: number): number {
  const free = rate.count - sumOf(counted(rate, app, now));
  // That is for the app itself to say.
  if (free <= 0) return Number.POSITIVE_INFINITY;
  const has = sumOf(counted(rate, own, now));
  return Math.max(has === 0 ? 1 : 0, Math.ceil((free - has) / 2));
}

/** When an account may have one more of what all have together, if nobody uses any more of it meanwhile. */
function whenPart(rate: Rate, own: Used, app: Used, now: number): number {
  const slices = [...counted(rate, own, now), ...counted(rate, app, now)];
  const ends = slices.map(([slice]) => (slice + SLICES + 1) * sliceMs(rate)).toSorted((one, other) => one - other);
  return [now, ...ends].find((at) => partOf(rate, own, app, at) > 0) ?? now;
}

/** Divides what is free: everybody has one before anybody has his second. */
function inTurns(wants: readonly Want[], free: number): Map<string, number> {
  const given = new Map<string, number>();
  let left = free;
  let waiting = wants.filter(({ count }) => count > 0);
  while (left > 0 && waiting.length > 0) {
    const each = Math.max(1, Math.floor(left / waiting.length));
    for (const { account, count } of waiting) {
      const got = given.get(account) ?? 0;
      const more = Math.min(each, count - got, left);
      given.set(account, got + more);
      left -= more;
    }
    waiting = waiting.filter(({ account, count }) => (given.get(account) ?? 0) < count);
  }
  return given;
}

/**
 * Whether a time until which an account is held, or gated, can have been written by a clock that was right. The server of the database
 * may have been another one then, with a clock far ahead of this one's, and nobody is to wait for years. Everything is while the time is unknown.
 */
export function isCredible(until: number, now: number): boolean {
  return !Number.isFinite(now) || until <= now + MAX_GATE_MS;
}

/** How many requests may begin now. */
function freeOf(quota: Quota | undefined, { used, heldUntil }: LimitState, now: number): number {
  if (heldUntil > now) return 0;
  if (quota === undefined) return Number.POSITIVE_INFINITY;
  const free = quota.rates.map((rate) => rate.count - sumOf(counted(rate, used, now)));
  const byGap = quota.gapMs === 0 ? Number.POSITIVE_INFINITY : Number(now >= Math.min(used.lastAt, now) + quota.gapMs);
  return Math.max(0, Math.min(byGap, ...free));
}

/** When so many requests more may begin, or as many of them as a rate allows at all. */
function whenFree(quota: Quota, used: Used, more: number, now: number): number {
  const times = quota.rates.map((rate) => {
    const width = sliceMs(rate);
    const slices = counted(rate, used, now);
    let excess = sumOf(slices) + Math.min(Math.max(1, more), rate.count) - rate.count;
    let at = now;
    for (const [slice, count] of slices) {
      if (excess <= 0) break;
      excess -= count;
      at = (slice + SLICES + 1) * width;
    }
    return at;
  });
  const byGap = quota.gapMs === 0 ? now : Math.min(used.lastAt, now) + quota.gapMs * Math.max(1, more);
  return Math.max(now, byGap, ...times);
}

function usedWith(quota: Quota, used: Used, count: number, now: number): Used {
  const slices = quota.rates.map((rate) => {
    const current = Math.floor(now / sliceMs(rate));
    const before = counted(rate, used, now);
    const last = before.at(-1);
    const added =
      last?.[0] === current ? [...before.slice(0, -1), [current, last[1] + count]] : [...before, [current, count]];
    return [String(rate.windowMs), added] as const;
  });
  return { lastAt: now, slices: Object.fromEntries(slices) as Used['slices'] };
}

/** The slices that count still, the oldest first. After the database's clock was set back what lies ahead counts as of now. */
function counted(rate: Rate, used: Used, now: number): readonly (readonly [slice: number, count: number])[] {
  const current = Math.floor(now / sliceMs(rate));
  const slices = used.slices[String(rate.windowMs)] ?? [];
  const kept = slices.filter(([slice]) => slice >= current - SLICES);
  const ahead = kept.filter(([slice]) => slice > current);
  if (ahead.length === 0) return kept;
  const merged = kept.filter(([slice]) => slice < current);
  return [...merged, [current, sumOf(kept.filter(([slice]) => slice >= current))]];
}

function sumOf(slices: readonly (readonly [slice: number, count: number])[]): number {
  return slices.reduce((sum, [, count]) => sum + count, 0);
}

function sliceMs(rate: Rate): number {
  return Math.ceil((rate.windowMs + marginMs(rate)) / SLICES);
}

function marginMs({ windowMs }: Rate): number {
  return Math.min(MAX_MARGIN_MS, windowMs * MARGIN_PART);
}
