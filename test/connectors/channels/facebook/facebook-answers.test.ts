import type { FakeFacebookOptions } from '../../../../deploy/fakes/facebook';
import type { GraphProblem } from '../../../../deploy/fakes/graph-answers';
import { systemClock } from '../../../../topology/core/clock';
import { type FacebookWorld, openFacebook, PAGE, TOKEN } from './facebook-world';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

let world: FacebookWorld;
let opened: FacebookWorld[] = [];

async function start(options: Partial<FakeFacebookOptions> = {}): Promise<void> {
  world = await openFacebook(options);
  opened.push(world);
}

afterEach(async () => {
  jest.restoreAllMocks();
  await Promise.all(opened.map((one) => one.close()));
  opened = [];
});

/** What comes of a post that Facebook answers so. */
async function answered(problem: GraphProblem, attempt = {}) {
  world.protocol.errors.push({ ...problem, isTaken: false });
  return world.send({ text: 'a' }, attempt);
}

function answers(status: number, json: unknown, headers: Readonly<Record<string, string>> = {}): void {
  jest.spyOn(world.protocol, 'handle').mockResolvedValue({ status, json, headers });
}

async function sentenceOf(problem: GraphProblem) {
  return (await answered(problem)) as { kind: string; reason: string };
}

describe('what the answers mean:', () => {
  test.each([
    [190, 458, 'its app was removed'],
    [190, 459, 'its user must sign in'],
    [190, 460, 'its user has changed the password'],
    [190, 463, 'it has expired'],
    [190, 464, 'its user has not confirmed'],
    [190, 467, 'it was made invalid'],
    [190, 1, 'does not take the account'],
    [102, undefined, 'does not take the account'],
    [104, undefined, 'does not take the account'],
    [2_500, undefined, "correct the account's version"],
  ])('code %p/%p makes the account unusable, whatever the status', async (code, subcode, why) => {
    for (const status of [400, 401, 500, 200]) {
      await start();
      const problem = { code, message: 'no', status, ...(subcode === undefined ? {} : { subcode }) };
      expect(await sentenceOf(problem)).toMatchObject({
        kind: 'unusable',
        status,
        reason: expect.stringContaining(why),
        ...(code === 190 || code === 2_500 ? { isFinal: true } : { afterMs: 60_000 }),
      });
    }
  });

  test('an OAuthException without a code makes the account unusable', async () => {
    await start();
    answers(400, { error: { message: 'no', type: 'OAuthException' } });
    expect(await world.send({ text: 'a' })).toMatchObject({ kind: 'unusable', afterMs: 60_000 });
  });

  test('a token that is revoked makes the account unusable, and the reason says what to do', async () => {
    await start();
    world.protocol.revoked.set(TOKEN, 463);
    expect(await world.send({ text: 'a' })).toEqual({
      kind: 'unusable',
      generation: 1,
      status: 400,
      isFinal: true,
      reason:
        "Facebook does not take the account's token any more: it has expired. Connect the account again (HTTP 400, code 190/463: Error validating access token)",
    });
    const calls = world.server.calls.length;
    expect(await world.send({ text: 'a' })).toMatchObject({ kind: 'unusable' });
    expect(world.server.calls).toHaveLength(calls);
  });

  test('an account without credentials sends nothing, and the reason says what to do', async () => {
    await start();
    expect(await world.send({ text: 'a' }, {}, 'nobody')).toMatchObject({
      kind: 'unusable',
      reason: expect.stringContaining('downspout accounts set'),
    });
    expect(world.server.calls).toEqual([]);
  });

  test.each([
    [3, undefined, 'may not post on the page'],
    [10, undefined, 'may not post on the page'],
    [200, undefined, 'may not post on the page'],
    [299, undefined, 'may not post on the page'],
    [10, 1_404_078, 'authorization to publish'],
    [100, undefined, 'a part of the post'],
    [100, 33, 'does not know the page'],
    [100, 1_609_005, 'cannot read the page at the link'],
    [100, 1_609_008, 'address of its own'],
    [100, 1_349_125, 'format'],
    [100, 2_061_006, 'format'],
    [1, 1_366_046, 'smaller than 4 MB'],
    [368, 1_346_003, 'abusive'],
    [368, 1_404_102, 'community standards'],
    [368, 1_404_006, 'community standards'],
    [368, 1_404_112, 'community standards'],
    [9_999, undefined, 'Facebook does not take the post'],
  ])('code %p/%p is rejected', async (code, subcode, why) => {
    await start();
    const problem = { code, message: 'no', ...(subcode === undefined ? {} : { subcode }) };
    const outcome = await sentenceOf(problem);
    expect(outcome).toMatchObject({ kind: 'rejected', reason: expect.stringContaining(why) });
    expect(outcome.reason).toContain(`code ${code}`);
  });

  test('an error within an answer of 200 is an error', async () => {
    await start();
    expect(await answered({ code: 200, message: 'no', status: 200 })).toMatchObject({ kind: 'rejected', status: 200 });
    expect(await answered({ code: 9_999, message: 'no', status: 200 })).toMatchObject({ kind: 'unknown', status: 200 });
  });

  test.each([
    [1, undefined, 400],
    [2, undefined, 200],
    [2, undefined, 503],
    [100, 1_363_047, 400],
    [100, 1_609_010, 400],
    [9_999, undefined, 500],
  ])('code %p/%p at HTTP %p leaves the message in doubt', async (code, subcode, status) => {
    await start();
    const problem = { code, message: 'no', status, ...(subcode === undefined ? {} : { subcode }) };
    expect(await answered(problem)).toMatchObject({ kind: 'unknown', status });
  });

  test('what Facebook calls transient is no refusal', async () => {
    await start();
    expect(await answered({ code: 100, message: 'no', isTransient: true })).toMatchObject({ kind: 'unknown' });
    expect(await answered({ code: 190, message: 'no', isTransient: true })).toMatchObject({ kind: 'unusable' });
  });

  test.each([
    [4, undefined, 10 * MINUTE_MS],
    [17, undefined, 10 * MINUTE_MS],
    [613, undefined, 10 * MINUTE_MS],
    [32, undefined, HOUR_MS],
    [341, undefined, HOUR_MS],
    [80_001, undefined, HOUR_MS],
    [368, undefined, 6 * HOUR_MS],
    [368, 1_390_008, HOUR_MS],
  ])('code %p/%p waits, as long as is usual when no header says how long', async (code, subcode, afterMs) => {
    await start();
    const error = { code, message: 'no', type: 'OAuthException', error_subcode: subcode };
    answers(400, { error });
    expect(await world.send({ text: 'a' })).toMatchObject({ kind: 'retry', status: 400, afterMs });
    const usage = { [PAGE]: [{ type: 'pages', estimated_time_to_regain_access: 7 }] };
    answers(400, { error }, { 'x-business-use-case-usage': JSON.stringify(usage) });
    const ofPolicies = code === 368;
    expect(await world.send({ text: 'a' })).toMatchObject({
      kind: 'retry',
      afterMs: ofPolicies ? afterMs : 7 * MINUTE_MS,
    });
    answers(400, { error }, { 'x-app-usage': '{"call_count":100,"total_time":1,"total_cputime":1}' });
    expect(await world.send({ text: 'a' })).toMatchObject({ kind: 'retry', afterMs: ofPolicies ? afterMs : HOUR_MS });
  });

  test('too many calls wait until Facebook says that they may go on', async () => {
    await start({ calls: 1 });
    expect(await world.send({ text: 'a' })).toMatchObject({ kind: 'delivered' });
    expect(await world.send({ text: 'b' })).toMatchObject({ kind: 'retry', status: 400, afterMs: HOUR_MS });
    expect(world.protocol.posts()).toHaveLength(1);
  });

  test('what a page has posted just before is rejected, and in doubt it is looked for', async () => {
    await start();
    await world.send({ text: 'a' });
    expect(await world.send({ text: 'a' }, { id: 2 })).toEqual({
      kind: 'rejected',
      status: 400,
      reason:
        'The page has posted the same just before (HTTP 400, code 506/1455006: Duplicate status message This status update is identical to the last one you posted.)',
    });
    expect(await world.send({ text: 'a' }, { inDoubt: true })).toMatchObject({ kind: 'unknown', status: 400 });
    const notBefore = systemClock.now() - 60_000;
    expect(await world.lookUp({ text: 'a' }, { notBefore })).toEqual({
      kind: 'accepted',
      receipt: world.protocol.posts()[0]?.id,
    });
    expect(await answered({ code: 100, subcode: 1_366_051, message: 'no' })).toMatchObject({ kind: 'rejected' });
    expect(await answered({ code: 100, subcode: 1_366_051, message: 'no' }, { inDoubt: true })).toMatchObject({
      kind: 'unknown',
    });
    expect(world.protocol.posts()).toHaveLength(1);
  });

  test.each([
    [408, 'retry'],
    [425, 'retry'],
    [429, 'retry'],
    [403, 'retry'],
    [409, 'unknown'],
    [502, 'unknown'],
    [302, 'rejected'],
  ])('an answer %i that is not of the Graph API says nothing of the post', async (status, kind) => {
    await start();
    answers(status, 'a page of a gateway', { location: 'https://elsewhere.example/' });
    expect(await world.send({ text: 'a' })).toMatchObject({ kind, status });
  });

  test.each([{}, 'words', { id: 7 }, { id: TOKEN }, { post_id: '1_2' }, null])(
    'an answer of 200 with %p and no id of a post is no delivery',
    async (json) => {
      await start();
      answers(200, json);
      const outcome = await world.send({ text: 'a' });
      expect(outcome).toMatchObject({ kind: 'unknown', status: 200 });
      expect(JSON.stringify(outcome)).not.toContain(TOKEN);
    },
  );

  test.each(['fail', 'error', 'drop', 'vanish', 'hang'] as const)(
    'a server that does "%s" may have the post',
    async (order) => {
      await start();
      world.server.order({ do: order });
      expect(await world.send({ text: 'a' })).toMatchObject({ kind: 'unknown' });
    },
  );

  test('an error after the post was taken is found by the lookup', async () => {
    await start();
    const notBefore = systemClock.now() - 60_000;
    world.protocol.errors.push({ code: 1, message: 'An unknown error occurred', isTaken: true });
    expect(await world.send({ text: 'a' })).toMatchObject({ kind: 'unknown' });
    expect(await world.lookUp({ text: 'a' }, { notBefore })).toMatchObject({ kind: 'accepted' });
  });
});
