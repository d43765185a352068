import type { NewRelease } from '../../../connectors/mysql/operators/releases';
import { requireOneWayBack, requireWayBack, waysOnFrom } from '../../../deploy/release/ways-on';

const release = (number: number, reason: string, image = 'downspout:2') => ({
  number,
  specification: { components: { webhook: {} } },
  packageVersion: '1',
  image,
  program: null,
  target: 'kubernetes' as const,
  environment: '',
  reason,
  who: 'ann',
  host: 'here',
  createdAt: 0,
  outcome: 'deploying' as const,
  endedAt: null,
  detail: null,
});
const live = release(7, 'deploy', 'downspout:1');
const unfinished = (reason: string, image?: string) => [release(8, 'rollback to 3'), release(9, reason, image)];

test('a rollback without a number is refused where a rollback was interrupted: it may be to go on, or to be taken back', () => {
  expect(() => requireOneWayBack(live, unfinished('rollback to 5'))).toThrow(
    'Release 9 (rollback to 5) was interrupted. Say which way: `downspout rollback 5` goes on, `downspout rollback 7` takes it back.',
  );
});

test.each(['deploy', 'scale webhook=6', 'rollback to 7'])(
  'there is one way back from an interrupted %s: to the release that is live',
  (reason) => expect(() => requireOneWayBack(live, unfinished(reason))).not.toThrow(),
);

test('there is one way back where nothing was interrupted', () => {
  expect(() => requireOneWayBack(live, [])).not.toThrow();
});

test('of a rollback that differs from what is live in its settings alone it is not said that another one takes it back', () => {
  expect(() => requireOneWayBack(live, unfinished('rollback to 5', 'downspout:1'))).not.toThrow();
});

const of = (target: NewRelease['target'], reason: string) => ({ ...release(8, reason, 'downspout:1'), target });

describe('a release that was interrupted and differs from the live one in what workers have beside it', () => {
  test.each([
    ['kubernetes' as const, 'settings.env'],
    ['compose' as const, 'workers.env, a file that it names, or the image'],
  ])('is left on %s by putting that right: no rollback goes back', (target, beside) => {
    const ways =
      '`downspout scale webhook=2` goes on. Release 7 says the same, so no rollback to it goes back: for that put right what workers ' +
      `have beside their release (${beside}), then run \`downspout scale webhook=2\``;
    const interrupted = of(target, 'scale webhook=2');
    expect(waysOnFrom(interrupted, { ...live, target })).toBe(ways);
    expect(() => requireWayBack(of(target, 'rollback to 7'), { ...live, target }, [interrupted])).toThrow(
      `Release 8 (scale webhook=2) was interrupted, and nothing is changed: ${ways}.`,
    );
  });

  test.each(['deploy', 'rollback to 3', 'rollback to 7'])('is gone on with by the same %s', (reason) => {
    expect(() => requireWayBack(of('kubernetes', reason), live, [of('kubernetes', reason)])).not.toThrow();
  });
});

test('a rollback to what is live goes back from a release that says something else', () => {
  const wanted = release(9, 'rollback to 7', 'downspout:1');
  expect(() => requireWayBack(wanted, live, [release(8, 'deploy')])).not.toThrow();
  expect(waysOnFrom(release(8, 'deploy'), live)).toBe('`downspout deploy` goes on, `downspout rollback 7` goes back');
});
