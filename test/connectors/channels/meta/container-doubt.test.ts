import type { FakeAnswer, FakeRequest } from '../../../../deploy/fakes/fake-provider';
import type { FakeContainers } from '../../../../deploy/fakes/meta-containers';
import { type Clock, systemClock } from '../../../../topology/core/clock';
import { MemoryKeeping } from '../../../support/channels/memory-keeping';
import { until } from '../../../support/until';
import { cup, SHOP as INSTAGRAM_SHOP, openInstagram } from '../instagram/instagram-world';
import type { PlayedChannel } from '../played-channel';
import { openThreads, SHOP as THREADS_SHOP } from '../threads/threads-world';

const HOUR_MS = 3_600_000;
const TOKEN = 'token-of-the-shop';
/** Of another user, whom the account `new` has. */
const [NEW_TOKEN, NEW_USER] = ['token-of-another', '17841400000000002'];
/** For what comes before a publication: six times the time-out of a request. */
const BEFOREHAND_MS = 6 * 800;

const refusal = (code: number, subcode: number, message = 'no'): FakeAnswer => ({
  status: 400,
  json: { error: { code, error_subcode: subcode, message } },
});
const ofState = (state: string): FakeAnswer => ({ status: 200, json: { id: '1', status: state, status_code: state } });

const undocumented = refusal(100, 1);
const notReady = refusal(9_007, 2_207_027);
const notThere = refusal(24, 2_207_006);
const tooMany = refusal(4, 0);
const page: FakeAnswer = { status: 403, json: 'a page' };
const away: FakeAnswer = { status: 503, json: 'a page' };

const asksForState = ({ method, query }: FakeRequest) => method === 'GET' && /status/.test(query.get('fields') ?? '');

let skippedMs: number;
let waitTakesMs: number;
/** Whoever waits has waited at once, and for as long as a test says. */
const clock: Clock = {
  ...systemClock,
  monotonic: () => systemClock.monotonic() + skippedMs,
  sleep: async () => {
    skippedMs += waitTakesMs;
  },
};

const tokensOf = (user: string) => ({ tokens: { [TOKEN]: user, [NEW_TOKEN]: NEW_USER } });
const hosts: readonly [string, () => Promise<PlayedChannel<FakeContainers>>, string][] = [
  ['instagram', () => openInstagram(tokensOf(INSTAGRAM_SHOP), clock), 'media'],
  ['threads', () => openThreads(tokensOf(THREADS_SHOP), clock), 'threads'],
];

describe.each(hosts)('doubt about a post on %s', (_name, open, create) => {
  let world: PlayedChannel<FakeContainers>;
  let kept: MemoryKeeping;

  beforeEach(async () => {
    skippedMs = 0;
    waitTakesMs = 0;
    world = await open();
    world.set('new', { user: NEW_USER, token: NEW_TOKEN });
    kept = new MemoryKeeping();
  });
  afterEach(() => world.close());

  const payload = { text: 'a cup', media: [cup] };
  const send = (attempt: object = {}, account = 'shop') => world.send(payload, { kept, ...attempt }, account);
  const lookUp = (context: object = {}, account = 'shop') => world.lookUp(payload, { kept, ...context }, account);
  const posts = () => world.protocol.posts();
  const made = () => world.server.calls.filter(({ path }) => path.endsWith(`/${create}`)).length;

  type Handle = (request: FakeRequest) => Promise<FakeAnswer>;

  /** The provider answers otherwise. @returns how it ends */
  function whileIt(answers: (request: FakeRequest, asUsual: Handle) => Promise<FakeAnswer>): () => void {
    const asUsual = world.protocol.handle.bind(world.protocol);
    const spy = jest.spyOn(world.protocol, 'handle').mockImplementation((request) => answers(request, asUsual));
    return () => spy.mockRestore();
  }

  /** The publication is refused; afterwards the container's state is answered with this. */
  function whileRefused(by: FakeAnswer, state: FakeAnswer, isTaken = true): () => void {
    let isRefused = false;
    return whileIt(async (request, asUsual) => {
      if (world.protocol.publishes(request)) {
        if (isTaken) await asUsual(request);
        isRefused = true;
        return by;
      }
      return isRefused && asksForState(request) ? state : asUsual(request);
    });
  }

  describe('Only what was surely not taken ends without doubt:', () => {
    test.each([
      ['undocumented, its state not told', undocumented, away],
      ['undocumented, its state too many calls', undocumented, tooMany],
      ['undocumented, its container unknown', undocumented, notThere],
      ['undocumented, its container in work', undocumented, ofState('IN_PROGRESS')],
      ["a gateway's, its state not told", page, away],
      ['not there, its state not told', notThere, away],
      ['not there, its container unknown', notThere, notThere],
      ['not ready, its container in work', notReady, ofState('IN_PROGRESS')],
      ['not ready, its container finished, as it was before', notReady, ofState('FINISHED')],
    ])('a refusal that is %s', async (_, by, state) => {
      const end = whileRefused(by, state);
      expect(await send()).toMatchObject({ kind: 'unknown', status: by.status });
      end();
      expect(await lookUp()).toMatchObject({ kind: 'accepted' });
      expect(posts()).toHaveLength(1);
    });

    test.each([
      ['rejected', undocumented, 'FINISHED'],
      ['rejected', undocumented, 'EXPIRED'],
      ['retry', notThere, 'FINISHED'],
    ])('it is %s where the state of the container says so', async (kind, by, state) => {
      whileRefused(by, ofState(state), false);
      expect(await send()).toMatchObject({ kind });
    });

    test('a lookup that found nothing yet is not believed against a refusal', async () => {
      const end = whileRefused(undocumented, ofState('FINISHED'));
      expect(await send({ inDoubt: true })).toMatchObject({ kind: 'unknown' });
      end();
      expect(await lookUp()).toMatchObject({ kind: 'accepted' });
    });

    test('too many calls say nothing of the post, also of one in doubt', async () => {
      whileRefused(tooMany, away, false);
      expect(await send({ inDoubt: true })).toMatchObject({ kind: 'retry' });
    });

    test('the state is asked for also when the time for what comes before is over', async () => {
      const begun = clock.monotonic();
      world.protocol.inWork = 1;
      waitTakesMs = BEFOREHAND_MS - 500;
      const end = whileIt(async (request, asUsual) => {
        const answer = await asUsual(request);
        if (!world.protocol.publishes(request)) return answer;
        await until('the time is over', () => clock.monotonic() - begun > BEFOREHAND_MS);
        return undocumented;
      });
      expect(await send()).toMatchObject({ kind: 'delivered', receipt: `container ${kept.ids?.['container']}` });
      end();
    });
  });

  test('a container that is not known any more becomes no second post', async () => {
    world.server.order({ do: 'drop' });
    expect(await send()).toMatchObject({ kind: 'unknown' });
    const first = String(kept.ids?.['container']);
    const isOfFirst = ({ path, body }: FakeRequest) => path.endsWith(`/${first}`) || String(body).includes(first);
    let isStale = true;
    whileIt(async (request, asUsual) => {
      if (!isOfFirst(request)) return asUsual(request);
      if (world.protocol.publishes(request)) isStale = false;
      return isStale ? ofState('FINISHED') : notThere;
    });
    expect(await lookUp()).toEqual({ kind: 'absent' });
    expect(await send({ inDoubt: true })).toMatchObject({ kind: 'unknown' });
    expect(await lookUp()).toMatchObject({ kind: 'unknown', reason: expect.stringContaining('not known any more') });
    expect(await send({ inDoubt: true })).toMatchObject({ kind: 'unknown' });
    expect(posts()).toHaveLength(1);
    expect(made()).toBe(1);
  });

  test('what is in work may be on its way: it is asked for again', async () => {
    world.server.order({ do: 'vanish' });
    await send();
    const end = whileIt(async () => ofState('IN_PROGRESS'));
    expect(await lookUp()).toMatchObject({ kind: 'unknown', reason: expect.stringContaining('still in work') });
    end();
    expect(await lookUp()).toEqual({ kind: 'absent' });
  });

  test('a container that has ended says nothing of its publication once it is older than a day, whenever that was asked for', async () => {
    const end = whileRefused(tooMany, ofState('FINISHED'), false);
    expect(await send()).toMatchObject({ kind: 'retry' });
    end();
    world.server.order({ do: 'drop' });
    expect(await send()).toMatchObject({ kind: 'unknown' });
    expect(made()).toBe(1);
    whileIt(async () => ofState('EXPIRED'));
    const [asked, later] = [systemClock.now(), systemClock.now() + 25 * HOUR_MS];
    expect(await lookUp({ notBefore: asked - 25 * HOUR_MS })).toEqual({ kind: 'absent' });
    expect(await lookUp({ notBefore: later - HOUR_MS, now: () => later })).toMatchObject({ kind: 'unknown' });
  });

  test('of a container that an earlier version kept the time of the request says how old it may be', async () => {
    world.server.order({ do: 'drop' });
    await send();
    const { madeAt: _, ...ids } = kept.ids ?? {};
    expect(await kept.keep(ids)).toBe(true);
    whileIt(async () => ofState('EXPIRED'));
    expect(await lookUp({ notBefore: systemClock.now() - 23 * HOUR_MS })).toEqual({ kind: 'absent' });
    expect(await lookUp({ notBefore: systemClock.now() - 25 * HOUR_MS })).toMatchObject({ kind: 'unknown' });
  });

  describe('an account that has another user by now', () => {
    test('publishes nothing that was made ready for the first', async () => {
      expect(await send({ mayStart: () => false })).toBe('not_started');
      expect(await send({}, 'new')).toMatchObject({ kind: 'delivered' });
      expect(posts()).toMatchObject([{ user: NEW_USER }]);
      expect(made()).toBe(2);
    });

    test('is told of a post of the first, and else stays in doubt', async () => {
      world.server.order({ do: 'drop' });
      await send();
      expect(await lookUp({}, 'new')).toMatchObject({ kind: 'unknown' });
      const end = whileIt(async () => ofState('FINISHED'));
      expect(await lookUp({}, 'new')).toMatchObject({
        kind: 'unknown',
        reason: expect.stringContaining('another user'),
      });
      end();
      whileIt(async () => ofState('PUBLISHED'));
      expect(await lookUp({}, 'new')).toMatchObject({ kind: 'accepted' });
    });
  });

  test('what one message names and is not there is no fault of the account', async () => {
    const missing = refusal(100, 33, "Unsupported post request. Object with ID '18012345678901234' does not exist");
    const end = whileIt(async (request, asUsual) => (world.protocol.uploads(request) ? missing : asUsual(request)));
    expect(await send()).toMatchObject({ kind: 'rejected', status: 400 });
    end();
    expect(await send()).toMatchObject({ kind: 'delivered' });
  });

  test('a new container that not all servers know yet is waited for, and kept', async () => {
    let toCome = 2;
    const end = whileIt(async (request, asUsual) =>
      asksForState(request) && toCome-- > 0 ? refusal(24, 4_279_009) : asUsual(request),
    );
    expect(await send()).toMatchObject({ kind: 'delivered' });
    kept = new MemoryKeeping();
    toCome = 6;
    expect(await send()).toMatchObject({ kind: 'retry', afterMs: 30_000 });
    end();
    expect(await send()).toMatchObject({ kind: 'delivered' });
    expect(made()).toBe(2);
  });
});
