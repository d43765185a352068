import type { Manner } from './hosts';

const LARGE_BODY_BYTES = 500_000;
/** As many headers as a message may have, with nearly as many bytes: one more is refused when the message is scheduled, and never sent. */
const HEADERS = 64;
const HEADERS_BYTES = 16_300;
/** By plain SQL anything can be written into a row. */
const REFUSED_HEADERS_BYTES = 500_000;
const REFUSED = 3;

/** Where messages go: hosts that hostile tenants have to themselves, and one that others use too. */
export interface TenantHosts {
  readonly hanging: { readonly urlOf: (n: number) => string };
  /** What it does depends on the URL. */
  readonly shared: { readonly urlOf: (manner: Manner) => string };
}

/** What tells a `Receiver` to do as a `Host` does. */
export const queries: Readonly<Record<Manner, string>> = { accepts: '', hangs: '?hang=yes', echoes: '?echo=16000' };

/** One account that does what harms others in a system that is not fair. */
export interface HostileTenant {
  readonly name: string;
  /** How many messages it has, all of them due at one instant. */
  readonly messages: number;
  readonly payloadOf: (n: number, hosts: TenantHosts) => object;
  /** So many of them, the first ones, get into the table by plain SQL only, and are refused when they are to be sent. */
  readonly refused?: number;
  /** Others use the host of this tenant as well. */
  readonly sharesHost?: boolean;
}

export const HOSTILE_ACCOUNT = 'hostile';

export const hostileTenants: readonly HostileTenant[] = [
  {
    name: '1,000 messages to 1,000 hosts that hang',
    messages: 1_000,
    payloadOf: (n, { hanging }) => ({ url: hanging.urlOf(n), body: n }),
  },
  {
    name: '1,000 messages that hang on a host that others use too',
    messages: 1_000,
    sharesHost: true,
    payloadOf: (n, { shared }) => ({ url: shared.urlOf('hangs'), body: n }),
  },
  {
    name: '600 messages of 500 kB to a host that hangs',
    messages: 600,
    payloadOf: (_, { hanging }) => ({ url: hanging.urlOf(0), body: 'x'.repeat(LARGE_BODY_BYTES) }),
  },
  {
    name: '3 messages with half a megabyte of headers that the receiver echoes, and 500 with 16 KiB',
    messages: REFUSED + 500,
    refused: REFUSED,
    payloadOf: (n, { shared }) => ({
      url: shared.urlOf('echoes'),
      headers: manyHeaders(n < REFUSED ? REFUSED_HEADERS_BYTES : HEADERS_BYTES),
      body: n,
    }),
  },
  {
    name: '1,000 messages to names that no resolver answers',
    messages: 1_000,
    payloadOf: (n) => ({ url: `http://h${n}.dead.example/`, body: n }),
  },
  {
    name: '20,000 messages at one instant',
    messages: 20_000,
    payloadOf: (n, { shared }) => ({ url: shared.urlOf('accepts'), body: n }),
  },
];

/** Credentials, which are looked for in every answer: each word of these is in it almost, over and over. */
function manyHeaders(bytes: number): Record<string, string> {
  const names = Array.from({ length: HEADERS }, (_, n) => `x-token-${String(n).padStart(2, '0')}`);
  return Object.fromEntries(names.map((name) => [name, wordsOf(bytes / HEADERS - name.length)]));
}

/** Words of different lengths that begin alike. */
function wordsOf(bytes: number): string {
  let words = '';
  for (let length = 6; words.length + length < bytes - 2; length++) words += `${'q'.repeat(length)}x `;
  return words.padEnd(Math.floor(bytes), 'q');
}
