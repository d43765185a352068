import { requireOneWayBack } from '../../../deploy/release/ways-on';

const live = { number: 7 };
const unfinished = (reason: string) => [
  { number: 8, reason: 'rollback to 3' },
  { number: 9, reason },
];

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
