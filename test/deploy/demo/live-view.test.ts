import { PassThrough } from 'node:stream';
import { colorsFor } from '../../../deploy/console/output';
import { afterDueFigures, type LiveFigures, LiveView, plainLine, stageLines } from '../../../deploy/demo/live-view';
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
  delivered: 140,
  afterDue: { p50: 3.2, p99: 41, max: 1_250 },
};

function sink(isTTY: boolean) {
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 80 });
  return { stream, text: () => String(stream.read() ?? '') };
}

test('each stage has a line that fits 78 columns', () => {
  const lines = stageLines({ ...snapshot, scheduled: 999_999, delivered: 999_999 }, colorsFor(sink(false).stream));
  for (const name of ['application', 'spouts', 'Kafka', 'bolts', 'receiver', 'after due']) {
    expect(lines.filter((line) => line.trim().startsWith(name))).toHaveLength(1);
  }
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(78);
  expect(lines.join('\n')).toContain('2,000 messages at 9:00, in 10 s');
});

test('what is not known is a dash', () => {
  expect(plainLine(snapshot)).toContain('queued -');
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

test('figures after due are nearest-rank percentiles', () => {
  expect(afterDueFigures([])).toBeNull();
  expect(afterDueFigures(Array.from({ length: 100 }, (_, index) => 100 - index))).toEqual({
    p50: 50,
    p99: 99,
    max: 100,
  });
});
