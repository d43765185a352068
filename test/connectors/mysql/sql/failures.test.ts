import {
  errnoOf,
  instructionOf,
  instructionOfWrite,
  isDataError,
  isDeadlock,
  isExhausted,
  isLocked,
  isLockWaitTimeout,
  leavesConnectionUsable,
} from '../../../../connectors/mysql/sql/failures';
import { Unavailable, UserError } from '../../../../topology/core/errors';

const answer = (errno: number) => Object.assign(new Error(`answer ${errno}`), { errno, sqlState: 'HY000' });

const of = (errno: number) => instructionOf(answer(errno));

test.each([
  1021, 1030, 1037, 1041, 1135, 1180, 1197, 1205, 1206, 1213, 1226, 1264, 1290, 1412, 1637, 1690, 3024, 3101, 4031,
])('the answer %d is Unavailable: it says nothing about a mistake of ours', (errno) => {
  const error = instructionOf(answer(errno));
  expect(error).toBeInstanceOf(Unavailable);
  expect(error).toMatchObject({ message: `MySQL cannot do this now: answer ${errno} (error ${errno})` });
  expect(errnoOf(error)).toBe(errno);
  expect(instructionOf(error)).toBe(error);
});

test.each([1044, 1045, 1049, 1054, 1130, 1142, 1143, 1146, 3159])(
  'the answer %d tells a person what to do',
  (errno) => {
    const error = instructionOf(answer(errno));
    expect(error).toBeInstanceOf(UserError);
    expect((error as Error).message).toMatch(/^MySQL: answer \d+\. \w.*\.$/);
  },
);

test.each([1064, 1305])('the answer %d is a bug of ours', (errno) => {
  const error = answer(errno);
  expect(instructionOf(error)).toBe(error);
});

test.each([1064, 1136, 1305])('the answer %d to what is written may be that of a trigger', (errno) => {
  const error = instructionOfWrite(answer(errno), false);
  expect(error).toBeInstanceOf(Unavailable);
  expect(errnoOf(error)).toBe(errno);
  expect(leavesConnectionUsable(answer(errno))).toBe(true);
});

test('a column that is missing is told to a person who writes, and waited for by a process that runs on its own', () => {
  expect(instructionOfWrite(answer(1054), false)).toBeInstanceOf(UserError);
  expect(instructionOfWrite(answer(1054), true)).toBeInstanceOf(Unavailable);
  expect(instructionOfWrite(answer(1146), true)).toBeInstanceOf(UserError);
  const bug = new TypeError('x is undefined');
  expect(instructionOfWrite(bug, true)).toBe(bug);
});

test('no answer is Unavailable; what is no error of MySQL stays as it is', () => {
  expect(instructionOf(Object.assign(new Error('reset'), { code: 'ECONNRESET' }))).toBeInstanceOf(Unavailable);
  expect(instructionOf(new Error("Can't add new command when connection is in closed state"))).toBeInstanceOf(
    Unavailable,
  );
  const bug = new TypeError('x is undefined');
  expect(instructionOf(bug)).toBe(bug);
});

const say = (errno: number) => [isLockWaitTimeout, isDeadlock, isDataError, isExhausted].map((is) => is(of(errno)));

test('an instruction still says which answer it was', () => {
  expect([1205, 1213, 1264, 1114].map((errno) => say(errno).indexOf(true))).toEqual([0, 1, 2, 3]);
  expect([1205, 1213, 1264, 1114, 1062].map((errno) => say(errno).filter(Boolean).length)).toEqual([1, 1, 1, 1, 0]);
  expect([1205, 1213, 3572, 1062].map((errno) => isLocked(of(errno)))).toEqual([true, true, true, false]);
});

test('a trigger that refuses a row concerns that row alone', () => {
  expect([isDataError(of(1644)), leavesConnectionUsable(answer(1644))]).toEqual([true, true]);
});

test('a connection is kept only after answers that concern the statement alone', () => {
  expect(
    [1205, 1213, 1062, 1264, 1146, 1064, 3024].map((errno) => leavesConnectionUsable(answer(errno))),
  ).not.toContain(false);
  expect([1290, 1053, 1317, 1836, 1040].map((errno) => leavesConnectionUsable(answer(errno)))).not.toContain(true);
  expect(leavesConnectionUsable(new Error('socket hang up'))).toBe(false);
});
