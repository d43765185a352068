import { suggestions, wordsOf } from '../../../deploy/release/suggestion';
import { testSettings } from '../../support/stack/stack';

const settings = testSettings('{ webhook: { replicas: 2, partitions: 8 } }');
const suggest = (messages: number, perWorker: number | null) =>
  suggestions(
    settings,
    messages === 0 ? [] : [5, messages, 7].map((count, n) => ({ channel: 'webhook', minute: n * 60_000, count })),
    perWorker === null ? [] : [{ channel: 'webhook', perWorker, attempts: 1_000 }],
    60_000,
  );

test.each([
  [60_000, 1_000, 1, 'webhook: 2 workers are enough.'],
  [240_000, 1_000, 4, 'webhook: `downspout scale webhook=4`'],
  [600_001, 1_000, 11, 'webhook: `downspout scale webhook=11 webhook.partitions=11`'],
  [
    16_000_000,
    1_000,
    267,
    'webhook: 267 workers would be needed, and 256 are the most: allow more time (--within), spread the messages, or raise what one worker sends.',
  ],
])('%d messages in a minute at %d/s a worker need %d', (messages, perWorker, needed, words) => {
  const [one] = suggest(messages, perWorker);
  expect(one).toMatchObject({ needed, busiest: { minute: 60_000, messages } });
  expect(wordsOf(one as NonNullable<typeof one>)).toBe(words);
});

const words = (messages: number, perWorker: number | null) => suggest(messages, perWorker).map(wordsOf)[0];

test('what is not known is said: no message, or nothing that was sent before', () => {
  expect(words(0, 1_000)).toBe('webhook: nothing wakes in this time; 2 workers are enough.');
  expect(words(100, null)).toMatch(/nothing was sent yet, so nobody knows/);
});
