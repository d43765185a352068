import type { AttemptResult, RowRelease } from '../../../bolts/send-rows';
import { observedOpenRows, observedSendRows } from '../../../deploy/worker/observe-rows';
import { PartlyClaimed } from '../../../topology/core/errors';
import type { Outcome, Settlement } from '../../../topology/message';
import { Metrics } from '../../../topology/runtime/metrics';
import { ManualClock } from '../../support/manual-clock';
import { MemoryDatabase } from '../../support/mysql/memory-database';
import { memorySink } from '../../topology/runtime/memory-sink';

const session = 'ef'.repeat(16);
const attempt = { version: 1, dueAt: 400, wakeAt: 1_000, contentHash: 'a'.repeat(64), startedAt: 1_000 };

function result(id: number, outcome: Outcome, settlement: Settlement, finishedAt: number): AttemptResult {
  return { ...attempt, id, finishedAt, outcome, settlement };
}

describe('observed rows', () => {
  const clock = new ManualClock();
  const database = new MemoryDatabase(clock);
  const metrics = new Metrics();
  const { log, entries } = memorySink('debug');
  const observer = { metrics, log: log.child({ component: 'webhook' }), clock };
  const rows = observedSendRows('webhook', database.sendRows(), observer);

  it('counts claims, outcomes and what cannot be written, and tells of each attempt that did not deliver', async () => {
    const insert = () => database.insert({ dueAt: 0 }).id;
    const ids = [insert(), insert(), insert(), insert()] as const;
    const read = await rows.read(ids, Number.POSITIVE_INFINITY);
    database.cancel(ids[3]);
    expect(await rows.claim(session, read, 0)).toBe(3);
    database.locked.add(ids[2]);
    const uncertain = { state: 'uncertain', inDoubt: true, error: 'cut' } as const;
    const unwritten = await rows.writeBack(session, [
      result(ids[0], { kind: 'delivered', status: 200 }, { state: 'delivered', deliveredAt: 1, receipt: null }, 1_250),
      result(ids[1], { kind: 'unknown', reason: 'cut' }, uncertain, 1_000),
      result(ids[2], { kind: 'unknown', reason: 'cut' }, uncertain, 1_000),
    ]);
    expect(unwritten.map(({ id }) => id)).toEqual([ids[2]]);
    const text = await metrics.text();
    for (const line of [
      'downspout_claims_total{channel="webhook",result="won"} 3',
      'downspout_claims_total{channel="webhook",result="lost"} 1',
      'downspout_attempts_total{channel="webhook",outcome="delivered"} 1',
      'downspout_attempts_total{channel="webhook",outcome="unknown"} 1',
      'downspout_settled_total{channel="webhook",state="uncertain"} 1',
      'downspout_unwritten_total{channel="webhook",result="again"} 1',
      'downspout_lateness_seconds_sum{channel="webhook"} 0.25',
      // What a retry took is a part of it.
      'downspout_after_due_seconds_sum{channel="webhook"} 0.85',
      'downspout_database_seconds_count{operation="write_back"} 1',
    ]) {
      expect(text).toContain(line);
    }
    expect(entries()).toEqual([
      expect.objectContaining({ level: 20, message: ids[0], msg: 'delivered', component: 'webhook' }),
      expect.objectContaining({ level: 40, message: ids[1], outcome: 'unknown', state: 'uncertain', reason: 'cut' }),
    ]);
  });

  it('counts what is written alone, refused and released', async () => {
    const own = new Metrics();
    const alone = observedSendRows('webhook', database.sendRows(), { ...observer, metrics: own });
    const [free, bad] = [database.insert({ dueAt: 0 }), database.insert({ dueAt: 0 })];
    await alone.claim(session, await alone.read([free.id, bad.id], Number.POSITIVE_INFINITY), 0);
    database.poisoned.add(bad.id);
    const delivered = { state: 'delivered', deliveredAt: 1, receipt: null } as const;
    const write = (id: number, release: RowRelease | null) =>
      alone.writeAlone(session, result(id, { kind: 'delivered' }, delivered, 1_250), release);
    expect(await write(free.id, null)).toBe('written');
    expect(await write(bad.id, null)).toBe('refused');
    expect(await write(bad.id, { reason: 'no', delayMs: 1 })).toBe('released');
    expect(await write(bad.id, { reason: 'never', delayMs: 1, keepsDoubt: true })).toBe('released');
    const text = await own.text();
    for (const line of [
      'downspout_settled_total{channel="webhook",state="delivered"} 1',
      'downspout_unwritten_total{channel="webhook",result="refused"} 1',
      'downspout_unwritten_total{channel="webhook",result="released"} 2',
      'downspout_database_seconds_count{operation="write_alone"} 4',
    ]) {
      expect(text).toContain(line);
    }
    for (const [reason, msg] of [
      ['no', 'released in doubt'],
      ['never', 'released'],
    ])
      expect(entries()).toContainEqual(expect.objectContaining({ level: 40, message: bad.id, reason, msg }));
  });

  it('counts what is journaled when the ledger has it, and not again with its row', async () => {
    const own = new Metrics();
    const crowded = observedSendRows('webhook', database.sendRows(), { ...observer, metrics: own });
    const ids = [database.insert({ dueAt: 0 }).id, database.insert({ dueAt: 0 }).id];
    await crowded.claim(session, await crowded.read(ids, Number.POSITIVE_INFINITY), 0);
    const delivered = { state: 'delivered', deliveredAt: 1, receipt: null } as const;
    const [one, other] = ids.map((id) => result(id, { kind: 'delivered' }, delivered, 1_250)) as [
      AttemptResult,
      AttemptResult,
    ];
    const counted = 'downspout_settled_total{channel="webhook",state="delivered"} 2';
    await crowded.journal(session, [one, other]);
    expect(await own.text()).toContain(counted);
    expect(await crowded.writeBack(session, [one])).toEqual([]);
    expect(await crowded.writeAlone(session, other, null)).toBe('written');
    expect(await own.text()).toContain(counted);
    expect(await own.text()).toContain('downspout_database_seconds_count{operation="journal"} 1');
  });

  it('tells of rows of dead workers that are delivered, as the ledger says, and counts none of them as scheduled', async () => {
    const own = new Metrics();
    const openRows = observedOpenRows(
      { ...database.openRows(), recover: async () => ({ recovered: 0, delivered: 2, refused: [] }) },
      { ...observer, metrics: own },
    );
    await openRows.recover([], 0);
    expect(await own.text()).not.toContain('downspout_recovered_total 2');
    expect(entries().at(-1)).toMatchObject({ level: 30, delivered: 2 });
  });

  it('counts what was late apart, by what became of it, and warns of none of it', async () => {
    const ids = [0, 0, 0].map((dueAt) => database.insert({ dueAt }).id);
    const before = entries().length;
    // There from the beginning, so that the first of them is an increase.
    expect(await metrics.text()).toContain('downspout_settled_total{channel="webhook",state="skipped"} 0');
    const read = await rows.read(ids, Number.POSITIVE_INFINITY);
    database.locked.add(ids[2] as number);
    const ended = await rows.settleUnclaimed(
      session,
      read.map(({ id, version, updatedAt }, index) => ({
        ...attempt,
        id,
        version,
        updatedAt,
        finishedAt: 1,
        outcome: { kind: 'late', reason: 'late: so' },
        settlement: { state: index === 0 ? 'failed' : 'late', inDoubt: false, error: 'late: so', isLate: true },
      })),
    );
    database.locked.clear();
    expect(ended).toEqual(ids.slice(0, 2));
    const text = await metrics.text();
    expect(text).toContain('downspout_settled_total{channel="webhook",state="skipped"} 1');
    expect(text).toContain('downspout_settled_total{channel="webhook",state="late"} 1');
    expect(entries().slice(before)).toEqual([
      expect.objectContaining({ level: 30, message: ids[0], outcome: 'late' }),
      expect.objectContaining({ level: 30, message: ids[1], outcome: 'late' }),
    ]);
  });

  it('counts a claim of which the database refused rows', async () => {
    const own = new Metrics();
    const partly = observedSendRows(
      'webhook',
      { ...database.sendRows(), claim: () => Promise.reject(new PartlyClaimed('message 2 cannot be claimed', 2)) },
      { ...observer, metrics: own },
    );
    const claimed = [1, 2, 3].map((id) => ({ id, version: 1, updatedAt: '' }));
    await expect(partly.claim(session, claimed, 0)).rejects.toThrow(PartlyClaimed);
    const text = await own.text();
    expect(text).toContain('downspout_claims_total{channel="webhook",result="won"} 2');
    expect(text).toContain('downspout_claims_total{channel="webhook",result="lost"} 1');
  });

  it('counts what reconciling brings back', async () => {
    const { id } = database.insert({ dueAt: 0 });
    const openRows = observedOpenRows(database.openRows(), observer);
    await rows.claim(session, await rows.read([id], Number.POSITIVE_INFINITY), 0);
    expect(await openRows.leasesOf([session])).toEqual([]);
    expect(await openRows.recover([{ id, version: 1, session }], 0)).toEqual({
      recovered: 1,
      delivered: 0,
      refused: [],
    });
    expect((await openRows.page('webhook', [], 10, 10)).length).toBe(0);
    expect(await metrics.text()).toContain('downspout_recovered_total 1');
    expect(entries().at(-1)).toMatchObject({ level: 40, recovered: 1 });
  });
});
