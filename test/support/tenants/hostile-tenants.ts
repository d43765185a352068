import type { Manner } from './hosts';

/** Bytes of the large bodies, and of all headers of the messages that have too many. */
const LARGE_BODY_BYTES = 500_000;
const HEADERS_BYTES = 500_000;
/** Some servers take one header of so many bytes, and no more. */
const HEADER_BYTES = 8_000;

/** Where messages go: hosts that hostile tenants have to themselves, and one that others use too. */
export interface TenantHosts {
  readonly hanging: { readonly urlOf: (n: number) => string };
  /** What it does depends on the URL. */
  readonly shared: { readonly urlOf: (manner: Manner) => string };
}

/** One account that does what harms others in a system that is not fair. */
export interface HostileTenant {
  readonly name: string;
  /** How many messages it has, all of them due at one instant. */
  readonly messages: number;
  readonly payloadOf: (n: number, hosts: TenantHosts) => object;
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
    name: '3 messages with half a megabyte of headers that the receiver echoes',
    messages: 3,
    payloadOf: (n, { shared }) => ({ url: shared.urlOf('echoes'), headers: manyHeaders(), body: n }),
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

/** Every word of these is in the answer almost, over and over. */
function manyHeaders(): Record<string, string> {
  const value = 'qqqqqx '.repeat(HEADER_BYTES / 7).trim();
  const names = Array.from({ length: HEADERS_BYTES / HEADER_BYTES }, (_, n) => `x-many-${n}`);
  return Object.fromEntries(names.map((name) => [name, value]));
}
