import { inspect } from 'node:util';
import type { AttemptContext, Channel } from '../../../bolts/channel';
import { BadRecord } from '../../../topology/core/errors';
import type { Outcome } from '../../../topology/message';

/** What the provider does with a message. */
export type Behaviour =
  | 'takes'
  | 'refuses'
  | 'is busy'
  /** Cuts the connection instead of an answer. */
  | 'drops'
  /** Never answers. */
  | 'hangs'
  /** Answers with what is no answer in its protocol. */
  | 'babbles'
  /** Refuses the message, and quotes all that was sent to it. */
  | 'quotes'
  /** Is not there. */
  | 'away';

const behaviours: readonly Behaviour[] = ['takes', 'refuses', 'is busy', 'drops', 'hangs', 'babbles', 'quotes', 'away'];

/** A channel with a provider that does as it is told. */
export interface ChannelWorld {
  readonly channel: Channel;
  readonly account: string;
  /** The payload of a message with which the provider does this. It carries a credential, where payloads can. */
  payload(behaviour: Behaviour): string;
  /** Payloads that can never be sent, with the field that each must name. */
  readonly bad: readonly (readonly [payload: string, field: string])[];
  /** Keys of the requests that were written, in their order. */
  written(): readonly string[];
  /** Calls `listener` in the tick in which a request is written. */
  onWrite(listener: () => void): void;
  /** What must not be in any outcome: the account's secret, credentials in payloads. */
  readonly secrets: readonly string[];
  close(): Promise<void>;
}

export interface ChannelCheck {
  readonly name: string;
  readonly run: (world: ChannelWorld) => Promise<void>;
}

type Sent = Outcome | 'not_started';

function send(world: ChannelWorld, behaviour: Behaviour, attempt: Partial<AttemptContext> = {}): Promise<Sent> {
  const { channel, account } = world;
  return channel.send(channel.prepare(account, world.payload(behaviour)), {
    id: 1,
    account,
    dueAt: 0,
    inDoubt: false,
    idempotencyKey: 'key-1',
    mayStart: () => true,
    now: () => Date.UTC(2026, 0, 1),
    ...attempt,
  });
}

/** What every channel promises to the bolt, whatever its provider is. */
export const channelChecks: readonly ChannelCheck[] = [
  {
    name: 'mayStart is asked once, in the tick of the write',
    async run(world) {
      // The second request uses the connection of the first one, where there are connections.
      for (const idempotencyKey of ['first', 'second']) {
        const order: string[] = [];
        world.onWrite(() => order.push('written'));
        const mayStart = () => {
          order.push('asked');
          queueMicrotask(() => order.push('the tick is over'));
          return true;
        };
        await send(world, 'takes', { idempotencyKey, mayStart });
        expect(order.slice(0, 3)).toEqual(['asked', 'written', 'the tick is over']);
        expect(order.filter((what) => what === 'asked')).toHaveLength(1);
      }
    },
  },
  {
    name: 'nothing is written when mayStart says no, and the next message goes out',
    async run(world) {
      expect(await send(world, 'takes', { idempotencyKey: 'refused', mayStart: () => false })).toBe('not_started');
      expect(await send(world, 'takes', { idempotencyKey: 'allowed' })).toMatchObject({ kind: 'delivered' });
      expect(world.written()).toEqual(['allowed']);
    },
  },
  {
    name: 'a request that was written and not answered is unknown',
    async run(world) {
      for (const behaviour of ['drops', 'hangs', 'babbles'] as const) {
        expect(await send(world, behaviour)).toMatchObject({ kind: 'unknown' });
      }
      expect(world.written()).toHaveLength(3);
    },
  },
  {
    name: 'a request that could not be written is neither unknown nor delivered',
    async run(world) {
      const mayStart = jest.fn(() => true);
      const outcome = await send(world, 'away', { mayStart });
      expect(['retry', 'rejected', 'postponed']).toContain((outcome as Outcome).kind);
      expect(mayStart).not.toHaveBeenCalled();
      expect(world.written()).toEqual([]);
    },
  },
  {
    name: 'prepare throws a BadRecord that names the field',
    async run(world) {
      for (const [payload, field] of world.bad) {
        const prepare = () => world.channel.prepare(world.account, payload);
        expect(prepare).toThrow(BadRecord);
        expect(prepare).toThrow(field);
      }
      expect(world.bad.length).toBeGreaterThan(0);
    },
  },
  {
    name: 'send never throws, whatever the provider does',
    async run(world) {
      for (const behaviour of behaviours) expect(await send(world, behaviour)).toHaveProperty('kind');
    },
  },
  {
    name: 'every attempt of a message carries the same idempotency key',
    async run(world) {
      for (const behaviour of ['is busy', 'drops', 'takes'] as const) {
        await send(world, behaviour, { idempotencyKey: 'always this' });
      }
      expect(world.written()).toEqual(['always this', 'always this', 'always this']);
    },
  },
  {
    name: 'no outcome contains a secret',
    async run(world) {
      expect(world.secrets).not.toEqual([]);
      for (const behaviour of behaviours) {
        const ended = await send(world, behaviour);
        const outcome = JSON.stringify(ended) + inspect(ended, { depth: null, showHidden: true });
        for (const secret of world.secrets) expect(outcome).not.toContain(secret);
      }
    },
  },
];

/** The same checks for every channel. @param open a new world for each of them */
export function channelBattery(name: string, open: () => Promise<ChannelWorld>): void {
  describe(`${name}, as a channel:`, () => {
    test.each(channelChecks)('$name', async ({ run }) => {
      const world = await open();
      try {
        await run(world);
      } finally {
        await world.close();
      }
    });
  });
}
