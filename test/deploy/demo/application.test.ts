import { Application, type ScheduledContent, type Scheduling } from '../../../deploy/demo/application';
import { writeDemoScript } from '../../../deploy/demo/demo-script';
import { judge } from '../../../deploy/demo/judge';
import { writingTo } from '../../../deploy/demo/scheduling';
import { ManualClock } from '../../support/manual-clock';

const START = 1_800_000_000_000;
const script = writeDemoScript(7);
const writing = writingTo('http://127.0.0.1:1');

/** Which message and revision the payload says that it is. */
function tagOf(payload: ScheduledContent['payload']): string {
  if ('headers' in payload && payload.headers !== undefined) return payload.headers['x-tag'] as string;
  const [key, revision] = 'text' in payload ? String(payload.text).split(', ') : [];
  return `${key}#${revision?.split(' ')[1]}`;
}

interface Row {
  dueAt: number;
  tag: string;
  state: 'scheduled' | 'canceled';
}

/** A table in memory: what is due is closed, as if it had been claimed at its instant. */
class Table implements Scheduling {
  readonly rows = new Map<string, Row>();
  lateAnswers = 0;

  constructor(private readonly clock: ManualClock) {}

  schedule: Scheduling['schedule'] = async (messages) => {
    for (const { key, dueAt, payload } of messages) {
      this.rows.set(key, { dueAt, tag: tagOf(payload), state: 'scheduled' });
    }
  };

  edit: Scheduling['edit'] = async (edits) =>
    edits.map(({ key, dueAt, payload }) => {
      const row = this.open(key);
      if (row === undefined) return 'too_late';
      Object.assign(row, { dueAt, tag: tagOf(payload) });
      return 'edited';
    });

  cancel: Scheduling['cancel'] = async (messages) =>
    messages.map(({ key }) => {
      const row = this.open(key);
      if (row === undefined) return 'too_late';
      row.state = 'canceled';
      return 'canceled';
    });

  private open(key: string): Row | undefined {
    const row = this.rows.get(key);
    if (row !== undefined && row.state === 'scheduled' && row.dueAt > this.clock.now()) return row;
    this.lateAnswers += 1;
    return undefined;
  }
}

test('what the application remembers being told is what the table did', async () => {
  const clock = new ManualClock(START);
  const table = new Table(clock);
  const application = new Application(script, table, writing, clock, START);
  const playing = application.play(new AbortController().signal);
  await clock.advance(script.endsAt + 1_000);
  await playing;

  expect(application).toMatchObject({ scheduled: script.messages.length, tooLate: table.lateAnswers });
  expect(application.edited + application.canceled + application.tooLate).toBe(script.changes.length);
  expect(application.tooLate).toBeGreaterThan(0);

  const arrivals = [...table.rows].flatMap(([key, { dueAt, tag, state }]) =>
    state === 'canceled' ? [] : [{ key, revision: Number(tag.split('#')[1]), at: dueAt + 1, accepted: true }],
  );
  const rows = [...table.rows].map(([key, { state }]) => ({
    key,
    state: state === 'canceled' ? state : ('delivered' as const),
    inDoubt: false,
  }));
  const verdict = judge(application.told(), arrivals, rows, 2_000);
  expect(verdict.examples).toEqual([]);
  expect(verdict).toMatchObject({ holds: true, canceled: application.canceled });
  expect(clock.timers).toBe(0);
});

test('an abort ends the play at once', async () => {
  const clock = new ManualClock(START);
  const abort = new AbortController();
  const application = new Application(script, new Table(clock), writing, clock, START);
  const playing = application.play(abort.signal);
  await clock.advance(1_000);
  abort.abort();
  await playing;
  expect(application.scheduled).toBeLessThan(script.messages.length);
  expect(clock.timers).toBe(0);
});
