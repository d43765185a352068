import type { LookupAnswer } from '../../../bolts/channel';
import { systemClock } from '../../../topology/core/clock';
import type { Outcome } from '../../../topology/message';
import { topologySchema } from '../../../topology/settings/topology-schema';
import { SPOUT } from '../../../topology/streams';
import type { WhoAmI } from '../channel-kind';
import { channelKinds } from '../channel-kinds';
import { textOf } from '../credentials';
import { checkDefinition } from './definition';
import { loadedKind } from './loaded-kind';

/** What a trial's message is, where it is not the first attempt of one that is due now. */
export interface TriedMessage {
  readonly idempotencyKey?: string;
  /** Epoch milliseconds. */
  readonly dueAt?: number;
  readonly inDoubt?: boolean;
}

/** A channel with one account, as a worker runs it. */
export interface Trial {
  /** A payload that the channel's schema refuses is `rejected`, with the field's name. */
  send(payload: unknown, message?: TriedMessage): Promise<Outcome | 'not_started'>;
  /** Undefined where the channel has no lookup. */
  lookup(payload: unknown, message?: TriedMessage): Promise<LookupAnswer | undefined>;
  /** Undefined where the channel has nobody to ask. */
  whoAmI(): Promise<WhoAmI | undefined>;
  close(): Promise<void>;
}

export interface TrialOptions {
  /** Of the account. */
  readonly credentials: Readonly<Record<string, string>>;
  /** Of a request, milliseconds from 100 on; 10 s unless given. */
  readonly timeoutMs?: number;
}

const ACCOUNT = 'trial';

const now = () => systemClock.now();

/**
 * Runs a channel as a worker does, for its author's tests. Servers on this machine may be reached.
 * @throws UserError for what is no channel, as a worker would say it
 */
export function tryChannel(definition: unknown, { credentials, timeoutMs = 10_000 }: TrialOptions): Trial {
  const kind = loadedKind(checkDefinition(definition, 'the channel', [SPOUT, ...Object.keys(channelKinds)]));
  const { bolts } = topologySchema.parse({ components: { [kind.name]: { timeout: timeoutMs } } });
  const network = { allowPrivateAddresses: true };
  const kept = textOf(kind.credentials, credentials);
  const channel = kind.build(bolts[kind.name] as NonNullable<(typeof bolts)[string]>, {
    clock: systemClock,
    network,
    secretsOf: async () => new Map([[ACCOUNT, { secrets: [kept], generation: 1, blocked: undefined }]]),
  });
  const prepared = (payload: unknown) => channel.prepare(ACCOUNT, JSON.stringify(payload));
  return {
    send: async (payload, message = {}) =>
      channel.send(prepared(payload), { ...contextOf(message), mayStart: () => true }),
    lookup: async (payload, message = {}) =>
      channel.lookup?.(prepared(payload), { ...contextOf({ inDoubt: true, ...message }), notBefore: 0 }),
    whoAmI: async () => kind.whoAmI?.(kept, { timeoutMs, perOrigin: 1, clock: systemClock, network }),
    close: () => channel.close(),
  };
}

function contextOf({ idempotencyKey = 'trial-1', dueAt = now(), inDoubt = false }: TriedMessage) {
  return { id: 1, account: ACCOUNT, idempotencyKey, dueAt, inDoubt, now };
}
