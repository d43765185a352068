import { attempt, forever, message, PackageWorld, requestOf, type Tools, throwing } from './package-world';

/** Of a package that tries three times. */
const persistent = async (tools: Tools) => {
  for (let count = 0; count < 3; count++) {
    const ended = await tools.publish(requestOf(tools));
    if (ended !== 'not_started' && ended.kind === 'answered') return { kind: 'delivered' };
  }
  return { kind: 'retry', reason: 'three times without an answer' };
};

const sendPersistently = (_: unknown, tools: Tools) => persistent(tools);

/** Makes two requests at once. */
const sendTwice = async (_: unknown, tools: Tools) => {
  const both = await Promise.all([tools.publish(requestOf(tools)), tools.publish(requestOf(tools))]);
  return { kind: both[1] === 'not_started' ? 'delivered' : 'rejected', reason: 'both were made' };
};

let world: PackageWorld;

beforeEach(async () => {
  world = await PackageWorld.open();
});

afterEach(() => world.close());

describe('2. A request that may have been taken is not hidden by that', () => {
  test.each<[string, () => unknown]>([
    ['throws after the answer', throwing],
    ['never ends after it', forever],
    ['answers with nothing', () => undefined],
    ['says that it did not begin', () => 'not_started'],
  ])('it %s', async (_, after) => {
    const broken = world.sending(async (tools) => {
      await tools.publish(requestOf(tools));
      return after();
    }, 200);
    expect(await broken.send(message)).toMatchObject({ kind: 'unknown' });
  });

  test.each([
    [
      { kind: 'retry', reason: 'try again', afterMs: 5 },
      { kind: 'unknown', reason: 'try again', afterMs: 5 },
    ],
    [
      { kind: 'rejected', reason: 'never' },
      { kind: 'unknown', reason: 'never' },
    ],
    ['not_started', { kind: 'unknown', reason: 'the channel says that it did not begin, and it had' }],
    [{ kind: 'delivered' }, { kind: 'delivered' }],
  ])('a request without an answer, and then it says %j', async (said, outcome) => {
    world.server.order({ do: 'drop' });
    const broken = world.sending(async (tools) => {
      await tools.publish(requestOf(tools));
      return said;
    });
    expect(await broken.send(message)).toEqual(outcome);
  });

  test.each([
    { kind: 'retry', reason: 'it took too long' },
    { kind: 'rejected', reason: 'it took too long' },
    { kind: 'postponed', reason: 'it took too long' },
    { kind: 'unusable', reason: 'it took too long' },
  ])('a request is under way, and it says %j', async (said) => {
    world.server.order({ do: 'hang' });
    const isTaken = world.gateway.nextCall();
    const impatient = world.sending(async (tools) => {
      void tools.publish(requestOf(tools));
      await isTaken;
      return said;
    });
    expect(await impatient.send(message)).toEqual({ kind: 'unknown', reason: 'it took too long' });
  });

  test.each<[string, () => unknown]>([
    ['throws', throwing],
    ['says that it did not begin', () => 'not_started'],
  ])('one was answered, another one reached nobody, and it %s', async (_, after) => {
    const broken = world.sending(async (tools) => {
      await tools.publish(requestOf(tools));
      const other = await tools.publish({ ...requestOf(tools), url: new URL('http://127.0.0.1:1/') });
      expect(other).toMatchObject({ kind: 'retry' });
      return after();
    });
    expect(await broken.send(message)).toMatchObject({ kind: 'unknown' });
  });

  test.each<[readonly number[], unknown]>([
    [[401], 'not_started'],
    [[429, 401], 'not_started'],
    [[500], { kind: 'unknown' }],
    [[401, 503, 401], { kind: 'unknown' }],
    [[409], { kind: 'unknown' }],
    [[302], { kind: 'unknown' }],
    [[201], { kind: 'unknown' }],
  ])('after the answers %j the bolt says no, and that is handed on', async (answers, outcome) => {
    let asked = 0;
    const mayStart = () => ++asked <= answers.length;
    const channel = world.built({
      class: 'blind',
      keyLifetimeMs: undefined,
      send: async (_: unknown, tools: Tools) => {
        for (const answer of answers) {
          const to = answer === 201 ? message.to : `+19990000${answer}`;
          expect(await tools.publish({ ...requestOf(tools), json: { ...message, to } })).toMatchObject({
            kind: 'answered',
            status: answer,
          });
        }
        return tools.publish(requestOf(tools));
      },
    });
    const ended = await channel.send(channel.prepare('shop', JSON.stringify(message)), attempt(mayStart));
    expect(typeof ended === 'string' ? ended : { kind: ended.kind }).toEqual(outcome);
    expect(world.server.calls).toHaveLength(answers.length);
  });

  test('what it says of an answer counts', async () => {
    const careful = world.sending(async (tools) => {
      await tools.publish(requestOf(tools));
      return { kind: 'rejected', reason: 'the answer says so' };
    });
    expect(await careful.send(message)).toEqual({ kind: 'rejected', reason: 'the answer says so' });
  });
});

describe('1. Where the provider does not know a request again, none is made while an earlier one may have been taken', () => {
  const unkeyed = { class: 'blind', keyLifetimeMs: undefined } as const;

  test.each(['blind', 'lookup'])('after one that was lost, of class %s', async (own) => {
    world.server.order({ do: 'drop', times: 2 });
    const loop = world.trial({ ...unkeyed, class: own, send: (_: unknown, tools: Tools) => persistent(tools) });
    expect(await loop.send(message)).toEqual({ kind: 'unknown', reason: 'three times without an answer' });
    expect(world.server.calls).toHaveLength(1);
    // The second order is still there.
    expect(await loop.send(message)).toMatchObject({ kind: 'unknown' });
  });

  test('while one is under way', async () => {
    const twice = world.trial({
      ...unkeyed,
      send: async (_: unknown, tools: Tools) => {
        const [first, second] = await Promise.all([tools.publish(requestOf(tools)), tools.publish(requestOf(tools))]);
        expect(second).toBe('not_started');
        return { kind: first === 'not_started' ? 'rejected' : 'delivered', reason: '' };
      },
    });
    expect(await twice.send(message)).toEqual({ kind: 'delivered' });
    expect(world.server.calls).toHaveLength(1);
  });

  test('and a loop around it leaves time for others', async () => {
    world.server.order({ do: 'drop' });
    const enough = new AbortController();
    const stubborn = async (tools: Tools) => {
      for (let count = 0; count < 100_000 && !enough.signal.aborted; count++) await tools.publish(requestOf(tools));
      return { kind: 'retry', reason: 'nobody else had a turn' };
    };
    const send = (_: unknown, tools: Tools) => stubborn(tools);
    expect(await world.trial({ ...unkeyed, send }, { timeoutMs: 100 }).send(message)).toEqual({
      kind: 'unknown',
      reason: 'send of the channel sms failed: it did not end within 700 ms',
    });
    enough.abort();
  });

  const keyed = { class: 'idempotent', keyLifetimeMs: 3_600_000 } as const;

  test('nor of a provider that forgets keys, which may be writing the key of the first one', async () => {
    world.server.order({ do: 'hang' });
    const outcome = await world.trial({ ...keyed, send: sendPersistently }, { timeoutMs: 300 }).send(message);
    expect(outcome).toEqual({ kind: 'unknown', reason: 'three times without an answer' });
    expect(world.server.calls).toHaveLength(1);
  });

  test('nor of such a provider while one is under way', async () => {
    expect(await world.trial({ ...keyed, send: sendTwice }).send(message)).toMatchObject({ kind: 'delivered' });
    expect(world.server.calls).toHaveLength(1);
  });

  test('and where it does, the same request is made again', async () => {
    world.server.order({ do: 'drop' });
    const forgetsNothing = world.trial({ class: 'idempotent', keyLifetimeMs: undefined, send: sendPersistently });
    expect(await forgetsNothing.send(message)).toEqual({ kind: 'delivered' });
    expect(world.server.calls).toHaveLength(2);
  });
});
