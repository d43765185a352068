import { refusalOf, textOf } from '../../../../../deploy/cli/verbs/messages/schedule-answers';

test.each([
  [
    { result: 'conflict', id: 3, state: 'failed' },
    'message 3 (failed) has this dedupe key already, with other content or another time',
  ],
  [
    { result: 'too_late', id: 3, claimedAt: 0, worker: 'h:7' },
    'message 3 is not replaced: h:7 has been sending it since',
  ],
  [{ result: 'in_doubt', id: 3 }, 'message 3 is not replaced: an earlier attempt may have been accepted'],
] as const)('%p is a refusal', (answer, text) => {
  expect(refusalOf(answer)).toContain(text);
});

test.each([
  [{ result: 'scheduled', id: 3, created: true }, 'Message 3 is scheduled.'],
  [{ result: 'scheduled', id: 3, created: false }, 'Message 3 was scheduled before, with the same content.'],
  [{ result: 'replaced', id: 3, version: 2 }, 'Message 3 is planned again.'],
  [
    { result: 'already', id: 3, state: 'canceled' },
    'and is canceled. Nothing is sent; --on-existing replace plans it again.',
  ],
  [
    { result: 'already', id: 3, state: 'delivered' },
    'and is delivered. Nothing is sent; --on-existing replace and another due time plan it again.',
  ],
] as const)('%p is no refusal, and is told', (answer, text) => {
  expect(refusalOf(answer)).toBeUndefined();
  expect(textOf(answer)).toContain(text);
});
