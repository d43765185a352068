/**
 * What a hostile tenant's messages are: each to an origin of its own that hangs, all to the origin that others use too, of
 * which they hang; large, to one that hangs; or to names that no resolver answers. `fickle`: there are many such tenants,
 * whose hosts answer the first message of each and hang from then on.
 */
export const hostileKinds = ['manyOrigins', 'sharedOrigin', 'large', 'unresolvable', 'fickle'] as const;

export type HostileKind = (typeof hostileKinds)[number];

const HOSTILE_ACCOUNT = 'hostile';
const fickleAccounts = Array.from({ length: 20 }, (_, n) => `fickle-${n}`);
export const hostileAccounts: readonly string[] = [HOSTILE_ACCOUNT, ...fickleAccounts];
/** Its one message is locked by a transaction. */
export const HELD_ACCOUNT = 'held';
const SHARED_ORIGIN = 'https://provider';

/** Twenty of these are more than the bytes that a bolt may hold. */
const LARGE_BYTES = 50_000;

/** A text that is different from every other, and from which the provider knows what to do. */
export function hostileContent(kind: HostileKind, n: number): string {
  return JSON.stringify(`${kind} ${n} ${kind === 'large' ? 'x'.repeat(LARGE_BYTES) : ''}`);
}

/** The kind and number of a hostile message; undefined for every other. */
export function hostileOf(content: string): { readonly kind: HostileKind; readonly n: number } | undefined {
  const [, name, n] = /^"(\w+) (\d+) /.exec(content) ?? [];
  const kind = hostileKinds.find((one) => one === name);
  return kind === undefined ? undefined : { kind, n: Number(n) };
}

export function hostileAccount(kind: HostileKind, n: number): string {
  return kind === 'fickle' ? `fickle-${n % fickleAccounts.length}` : HOSTILE_ACCOUNT;
}

/** The message goes out before the harm begins, and is answered. */
export function isHarmless(kind: HostileKind, n: number): boolean {
  return kind === 'fickle' && n < fickleAccounts.length;
}

/** Where a message goes. Half of the other accounts share an origin, the others have one each. */
export function originOf(account: string, content: string): string {
  const hostile = hostileOf(content);
  if (hostile === undefined) return /[02468]$/.test(account) ? SHARED_ORIGIN : `https://${account}`;
  if (hostile.kind === 'sharedOrigin') return SHARED_ORIGIN;
  if (hostile.kind === 'fickle') return `https://${account}`;
  return hostile.kind === 'large' ? 'https://hostile' : `https://hostile-${hostile.n}`;
}
