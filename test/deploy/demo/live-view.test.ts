import { PassThrough } from 'node:stream';
import { colorsFor } from '../../../deploy/console/output';
import { type LiveFigures, LiveView, plainLine, stageLines } from '../../../deploy/demo/live-view';
import { ManualClock } from '../../support/manual-clock';

const snapshot: LiveFigures = {
  elapsed: 12_300,
  endsAt: 60_000,
  nextBurst: { name: '9:00', count: 2_000, inMs: 9_700 },
  scheduled: 4_712,
  edited: 12,
  canceled: 8,
  tooLate: 1,
  pending: 20,
  queued: null,
  held: 7,
  inFlight: 3,
  channels: [
    { channel: 'webhook', delivered: 140, afterDue: { p50: 3.2, p99: 41, max: 1_250 } },
    { channel: 'mastodon', delivered: 0, afterDue: null },
  ],
};

function sink(isTTY: boolean) {
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 80 });
  return { stream, text: () => String(stream.read() ?? '') };
}

test('each stage has a line that fits 78 columns', () => {
  const channels = snapshot.channels.map((one) => ({ ...one, delivered: 999_999 }));
  const lines = stageLines({ ...snapshot, scheduled: 999_999, channels }, colorsFor(sink(false).stream));
  for (const name of ['application', 'spouts', 'Kafka', 'bolts', 'webhook', 'mastodon']) {
    expect(lines.filter((line) => line.trim().startsWith(name))).toHaveLength(1);
  }
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(78);
  expect(lines.join('\n')).toContain('2,000 messages at 9:00, in 10 s');
});

test('what is not known is a dash', () => {
  expect(plainLine(snapshot)).toContain('queued -');
});

test('each channel says what was delivered, and how late', () => {
  const line = plainLine(snapshot);
  expect(line).toContain('webhook 140 delivered, after due p50 3 ms, p99 41 ms, max 1.25 s');
  expect(line).toContain('mastodon 0 delivered, none yet');
});

test('a terminal is redrawn in place', () => {
  const { stream, text } = sink(true);
  const clock = new ManualClock();
  const view = new LiveView(stream, clock);
  view.show(snapshot);
  const height = text().split('\n').length - 1;
  view.show(snapshot);
  expect(text()).toBe('');
  view.show(snapshot, true);
  expect(text().startsWith(`\x1b[${height}A\x1b[0J`)).toBe(true);
});

test('without a terminal there are plain lines, every few seconds', async () => {
  const { stream, text } = sink(false);
  const clock = new ManualClock();
  const view = new LiveView(stream, clock);
  for (let second = 0; second < 12; second += 1) {
    view.show(snapshot);
    await clock.advance(1_000);
  }
  const lines = text().trimEnd().split('\n');
  expect(lines).toHaveLength(3);
  expect(lines.join('')).not.toContain('\x1b');
});
