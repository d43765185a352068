import { PassThrough } from 'node:stream';
import { Output } from '../../../deploy/console/output';
import { judge } from '../../../deploy/demo/judge';
import { summaryText } from '../../../deploy/demo/summary';

const output = new Output({}, new PassThrough(), new PassThrough());

test('the summary says for each channel how many messages were how late, with units', () => {
  const text = summaryText(
    judge([], [], [], 2_000),
    [
      { channel: 'webhook', burst: null, messages: 712, p50: 3, p99: 11.6, max: 40 },
      { channel: 'webhook', burst: '9:00', messages: 2_012, p50: 88, p99: 1_250, max: 1_400 },
      { channel: 'mastodon', burst: null, messages: 27, p50: 12, p99: 30, max: 30 },
    ],
    output,
  );
  const rows = text.split('\n').map((line) => line.trim().replaceAll(/ {2,}/g, '|'));
  expect(rows).toContain('channel|due|messages|p50|p99|max');
  expect(rows).toContain('webhook|through the day|712|3 ms|12 ms|40 ms');
  expect(rows).toContain('webhook|at 9:00|2,012|88 ms|1.25 s|1.40 s');
  expect(rows).toContain('mastodon|through the day|27|12 ms|30 ms|30 ms');
  expect(text).toContain('Everything holds.');
});

test('what should not be is marked, and so is the whole', () => {
  const plans = [{ revision: 1, dueAt: 9_000, acknowledgedAt: 0 }];
  const lost = { key: 'a', channel: 'mastodon', account: 'b', plans, canceledAt: null };
  const text = summaryText(judge([lost], [], [], 2_000), [], output);
  expect(text).toMatch(/lost +1 +should be 0/);
  expect(text).toContain('nothing was delivered');
  expect(text).toContain('Not everything holds.');
});
