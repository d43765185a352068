import type { AttemptResult } from '../../bolts/send-rows';
import { violationsOf } from '../../connectors/mysql/operators/verify/rules';
import type { SeenAttempt, SeenRow, SeenSession, Violation } from '../../connectors/mysql/operators/verify/seen';
import type { ChannelClass } from '../../topology/message';
import type { ClientOperation, TableHistory } from '../faults/judge/history';
import { judge } from '../faults/judge/judge';
import { type MemoryRow, wakeOf } from '../support/mysql/memory-table';
import type { Histories } from './judge/history';
import { hashOf } from './judge/judge';
import { Simulation } from './simulation';
import { KEY_LIFETIME } from './world/provider';

const RUNS = Number(process.env['SIMULATION_RUNS'] ?? 100);

const said: { verify: unknown[]; judge: unknown[] } = { verify: [], judge: [] };

beforeAll(async () => {
  for (let seed = 1; seed <= RUNS; seed++) {
    const simulation = new Simulation(seed);
    const { histories } = await simulation.run();
    const table = tableOf(simulation, histories);
    const overwritten = new Set(histories.clients.flatMap(({ kind, id }) => (kind === 'overwrite' ? [id] : [])));
    // SQL that changes what is being sent makes the ledger and the row differ.
    const counts = ({ invariant, id }: Violation) => invariant !== 'I3' || !overwritten.has(id ?? undefined);
    const around = {
      now: table.now,
      sessions: new Map(table.sessions.map((one) => [one.session, one])),
      classOf: (channel: string) => histories.classes[channel],
      keyLifetimeOf: (channel: string) => (channel === 'brief' ? KEY_LIFETIME : undefined),
      isTended: () => true,
      patienceMs: 0,
    };
    for (const row of table.rows) {
      const attempts = table.attempts.filter(({ id }) => id === row.id).toSorted((a, b) => a.version - b.version);
      const found = violationsOf({ row, attempts }, around).filter(counts);
      if (found.length > 0) said.verify.push({ seed, found, row, attempts });
    }
    const { classes, orderedBeyond, left } = histories;
    const clients = histories.clients.map(operationOf);
    const found = judge({ clients, requests: histories.requests, table, classes, orderedBeyond, left }).filter(counts);
    if (found.length > 0) said.judge.push({ seed, found });
  }
}, 120_000);

test(`verify finds no violation in ${RUNS} runs that kept every promise`, () => {
  expect(said.verify.slice(0, 2)).toEqual([]);
});

test(`the judge of the fault tests finds no violation in ${RUNS} runs that kept every promise`, () => {
  expect(said.judge.slice(0, 4)).toEqual([]);
});

test('what was begun and postponed was not taken, so that it is sent again needs no other reason', () => {
  const session = 'a'.repeat(32);
  const attempt = (version: number, outcome: SeenAttempt['outcome'], settled: SeenAttempt['settled']): SeenAttempt => ({
    id: 1,
    version,
    session,
    contentHash: '',
    outcome,
    settled,
    receipt: null,
    wakeAt: version,
    startedAt: version,
    finishedAt: version,
    recordedAt: version,
  });
  const row: SeenRow = {
    id: 1,
    account: 'shop',
    channel: 'linkedin',
    dueAt: 1,
    wakeAt: 2,
    state: 'delivered',
    version: 2,
    attempts: 2,
    planNumber: 1,
    planVersion: 1,
    inDoubt: false,
    session,
    deliveredAt: 2,
    receipt: null,
    createdAt: 0,
    updatedAt: 2,
    payloadHash: '',
  };
  const alive = { session, components: [], startedAt: 0, leaseUntil: 9, dead: false, left: false };
  for (const channelClass of ['lookup', 'blind'] as const) {
    const around = {
      now: 3,
      sessions: new Map([[session, alive]]),
      classOf: () => channelClass,
      isTended: () => true,
      patienceMs: 0,
    };
    const after = (outcome: SeenAttempt['outcome']) =>
      violationsOf({ row, attempts: [attempt(1, outcome, 'scheduled'), attempt(2, 'delivered', 'delivered')] }, around);
    expect(after('postponed')).toEqual([]);
    expect(after('delivered')).toHaveLength(1);
  }
});

describe('an outcome that only the ledger has', () => {
  const [session, other] = ['a'.repeat(32), 'b'.repeat(32)];
  const entry: SeenAttempt = {
    id: 1,
    version: 1,
    session,
    contentHash: '',
    outcome: 'delivered',
    settled: 'delivered',
    receipt: null,
    wakeAt: 1,
    startedAt: 1,
    finishedAt: 2,
    recordedAt: 3,
  };
  const row: SeenRow = {
    id: 1,
    account: 'shop',
    channel: 'webhook',
    dueAt: 1,
    wakeAt: 1,
    state: 'sending',
    version: 1,
    attempts: 1,
    planNumber: 1,
    planVersion: 1,
    inDoubt: false,
    session,
    deliveredAt: null,
    receipt: null,
    createdAt: 0,
    updatedAt: 1,
    payloadHash: '',
  };
  const found = (of: Partial<SeenRow>, dead: boolean, now = 4, channelClass: ChannelClass = 'idempotent') => {
    const worker = { session, components: [], startedAt: 0, leaseUntil: 9, dead, left: false };
    const around = {
      now,
      sessions: new Map([[session, worker]]),
      classOf: () => channelClass,
      isTended: () => true,
      patienceMs: 10,
    };
    return violationsOf({ row: { ...row, ...of }, attempts: [entry] }, around).map(({ invariant }) => invariant);
  };
  const doubted = { state: 'scheduled', version: 2, inDoubt: true } as const;

  test('is no violation while its claim stands, or when its row is in doubt after its worker died', () => {
    expect([found({}, false), found({}, true), found(doubted, true)]).toEqual([[], [], []]);
  });

  test('is one where it is not settled in time, where nobody died, in other states, and on other channels', () => {
    expect(found({}, false, 13)).toEqual([]);
    expect(found({}, false, 14)).toEqual(['I1']);
    expect(found(doubted, false)).toEqual(['I6']);
    expect(found({ ...doubted, inDoubt: false }, true)).toEqual(['I6']);
    expect(found({ session: other }, true)).toContain('I6');
    expect(found({ ...doubted, state: 'uncertain' }, true)).toEqual(['I6']);
    expect(found({}, false, 4, 'lookup')).toContain('I6');
  });
});

function tableOf(simulation: Simulation, { table }: Histories): TableHistory {
  return {
    now: simulation.database.now(),
    rows: table.rows.map(seenRow),
    attempts: table.ledger.map(seenAttempt),
    sessions: sessionsOf(simulation),
  };
}

function operationOf({ kind, result, ...one }: Histories['clients'][number]): ClientOperation {
  return {
    ...one,
    // A redrive makes another plan, as an edit does.
    kind: kind === 'insert' ? 'schedule' : kind === 'redrive' ? 'edit' : kind,
    result: result === 'refused' ? 'fail' : result,
  };
}

function seenRow(row: MemoryRow): SeenRow {
  return {
    ...row,
    wakeAt: wakeOf(row),
    session: row.claim ?? '',
    planVersion: 1,
    createdAt: 0,
    updatedAt: Date.parse(`${row.updatedAt.replace(' ', 'T')}Z`),
    payloadHash: hashOf(row.payload),
  };
}

function seenAttempt(entry: AttemptResult & { readonly session: string }): SeenAttempt {
  const { id, version, session, wakeAt, contentHash, startedAt, finishedAt, outcome, settlement } = entry;
  const receipt = outcome.kind === 'delivered' ? (outcome.receipt ?? null) : null;
  const at = { wakeAt, startedAt, finishedAt, recordedAt: finishedAt };
  return { id, version, session, contentHash, ...at, outcome: outcome.kind, settled: settlement.state, receipt };
}

function sessionsOf({ database }: Simulation): SeenSession[] {
  return [...database.workers].map(([session, { components, leaseUntil, dead }]) => ({
    session,
    components,
    startedAt: 0,
    leaseUntil,
    dead,
    left: false,
  }));
}
