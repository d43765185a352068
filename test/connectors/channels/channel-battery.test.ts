import type { AttemptContext, Channel } from '../../../bolts/channel';
import { type ChannelWorld, channelBattery, channelChecks } from './channel-battery';
import { ScriptedWorld } from './scripted-world';

channelBattery('ScriptedChannel', async () => new ScriptedWorld());

type Send = Channel['send'];

/** The scripted channel with one part of it broken. */
function broken(change: (sound: Channel) => Partial<Channel>): ChannelWorld {
  const world = new ScriptedWorld();
  const sound = world.channel;
  world.channel = {
    name: sound.name,
    class: sound.class,
    acceptedWithin: sound.acceptedWithin,
    warm: (accounts) => sound.warm(accounts),
    prepare: (account, payload) => sound.prepare(account, payload),
    originOf: (prepared) => sound.originOf(prepared),
    send: (prepared, attempt) => sound.send(prepared, attempt),
    close: () => sound.close(),
    ...change(sound),
  };
  return world;
}

const sending = (send: (sound: Send, ...given: Parameters<Send>) => ReturnType<Send>) =>
  broken((sound) => ({ send: (...given) => send(sound.send.bind(sound), ...given) }));

const withAttempt = (attempt: AttemptContext, change: Partial<AttemptContext>): AttemptContext => ({
  ...attempt,
  ...change,
});

/** For each check, channels that must not pass it. */
const faults: Readonly<Record<string, readonly (readonly [what: string, world: () => ChannelWorld])[]>> = {
  'mayStart is asked once, in the tick of the write': [
    [
      'asks a tick before the write',
      () =>
        sending(async (send, prepared, attempt) => {
          const may = attempt.mayStart();
          await Promise.resolve();
          return send(prepared, withAttempt(attempt, { mayStart: () => may }));
        }),
    ],
    [
      'asks twice',
      () =>
        sending((send, prepared, attempt) =>
          send(prepared, withAttempt(attempt, { mayStart: () => attempt.mayStart() && attempt.mayStart() })),
        ),
    ],
    [
      'does not ask',
      () => sending((send, prepared, attempt) => send(prepared, withAttempt(attempt, { mayStart: () => true }))),
    ],
  ],
  'nothing is written when mayStart says no, and the next message goes out': [
    [
      'asks and writes all the same',
      () =>
        sending(async (send, prepared, attempt) => {
          const may = attempt.mayStart();
          const outcome = await send(prepared, withAttempt(attempt, { mayStart: () => true }));
          return may ? outcome : 'not_started';
        }),
    ],
    [
      'is stuck after a no',
      () => {
        let isStuck = false;
        return sending(async (send, prepared, attempt) => {
          const outcome = isStuck ? 'not_started' : await send(prepared, attempt);
          isStuck = outcome === 'not_started';
          return outcome;
        });
      },
    ],
  ],
  'a request that was written and not answered is unknown': [
    [
      'takes it for a retry',
      () =>
        sending(async (send, prepared, attempt) => {
          const outcome = await send(prepared, attempt);
          return outcome !== 'not_started' && outcome.kind === 'unknown'
            ? { kind: 'retry', reason: outcome.reason }
            : outcome;
        }),
    ],
  ],
  'a request that could not be written is neither unknown nor delivered': [
    [
      'takes it for unknown',
      () =>
        sending(async (send, prepared, attempt) => {
          const outcome = await send(prepared, attempt);
          return outcome !== 'not_started' && outcome.kind === 'retry'
            ? { kind: 'unknown', reason: outcome.reason }
            : outcome;
        }),
    ],
    [
      'asks before it is connected',
      () =>
        sending((send, prepared, attempt) => {
          attempt.mayStart();
          return send(prepared, attempt);
        }),
    ],
  ],
  'prepare throws a BadRecord that names the field': [
    [
      'prepares anything',
      () => broken((sound) => ({ prepare: (account) => sound.prepare(account, '{"url":"http://takes.test"}') })),
    ],
    [
      'throws something else',
      () =>
        broken((sound) => ({
          prepare: (account, payload) => {
            try {
              return sound.prepare(account, payload);
            } catch (error) {
              throw new TypeError('not prepared', { cause: error });
            }
          },
        })),
    ],
  ],
  'send never throws, whatever the provider does': [
    [
      'throws when the provider is away',
      () =>
        sending(async (send, prepared, attempt) => {
          const outcome = await send(prepared, attempt);
          if (outcome !== 'not_started' && outcome.kind === 'retry') throw new Error(outcome.reason);
          return outcome;
        }),
    ],
  ],
  'every attempt of a message carries the same idempotency key': [
    [
      'makes a key for each attempt',
      () => {
        let attempts = 0;
        return sending((send, prepared, attempt) =>
          send(prepared, withAttempt(attempt, { idempotencyKey: `${attempt.idempotencyKey} ${attempts++}` })),
        );
      },
    ],
  ],
  'no outcome contains a secret': [
    [
      'passes on what the provider quotes',
      () =>
        sending(async (send, prepared, attempt) => {
          const outcome = await send(prepared, attempt);
          return outcome !== 'not_started' && outcome.kind === 'rejected'
            ? { ...outcome, reason: JSON.stringify(prepared) }
            : outcome;
        }),
    ],
  ],
};

describe('each check fails a channel that', () => {
  test.each(
    channelChecks.flatMap(({ name, run }) => (faults[name] ?? []).map(([what, world]) => ({ what, name, run, world }))),
  )('$what ($name)', async ({ run, world }) => {
    await expect(run(world())).rejects.toThrow(/expect\(|^busy$/);
  });

  test.each(channelChecks)('is broken: there is one for "$name"', ({ name }) => {
    expect(faults[name]).not.toBeUndefined();
  });
});
