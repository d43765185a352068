import type { AttemptResult } from '../../../bolts/send-rows';
import type { MemoryRow } from '../../support/mysql/memory-table';
import type { ClientOperation, Histories, PlanChange, ReceivedRequest } from './history';
import { hashOf, type Invariant, judge } from './judge';

const row: MemoryRow = {
  id: 1,
  account: 'a',
  channel: 'lookup',
  shard: 0,
  payload: '"one"',
  dueAt: 1_000,
  lateFrom: null,
  sendWithinMs: null,
  onLate: null,
  isLate: false,
  retryAt: null,
  state: 'delivered',
  version: 1,
  attempts: 1,
  firstAttemptAt: null,
  planNumber: 1,
  inDoubt: false,
  doubtSince: null,
  recoveries: 0,
  decided: false,
  claim: null,
  deliveredAt: 1_010,
  receipt: null,
  lastError: null,
  updatedAt: '',
};
const insert: ClientOperation = {
  kind: 'insert',
  id: 1,
  content: '"one"',
  version: 1,
  invokedAt: 0,
  endedAt: 10,
  result: 'ok',
};
const request: ReceivedRequest = {
  id: 1,
  account: 'a',
  key: 'key-1',
  content: '"one"',
  worker: 'w',
  at: 1_005,
  accepted: true,
};
const attempt: AttemptResult & { readonly session: string; readonly recordedAt: number } = {
  id: 1,
  version: 1,
  dueAt: 1_000,
  wakeAt: 1_000,
  contentHash: hashOf('"one"'),
  startedAt: 1_004,
  finishedAt: 1_010,
  outcome: { kind: 'delivered' },
  settlement: { state: 'delivered', deliveredAt: 1_010, receipt: null },
  session: 'w',
  recordedAt: 1_020,
};
const skipped: Pick<AttemptResult, 'outcome' | 'settlement'> = {
  outcome: { kind: 'late', reason: 'late' },
  settlement: { state: 'failed', inDoubt: false, error: 'late', isLate: true },
};
const plan: PlanChange = { id: 1, version: 1, wakeAt: 1_000, committedAt: 5 };
const cancel: ClientOperation = { kind: 'cancel', id: 1, invokedAt: 900, endedAt: 950, result: 'ok' };
const edit: ClientOperation = { ...insert, kind: 'edit', content: '"two"', version: 2, invokedAt: 900, endedAt: 950 };

interface Changes extends Partial<Omit<Histories, 'table'>> {
  readonly table?: Partial<Histories['table']>;
}

/** One message that was delivered as it should be, but for what is changed. */
function histories(changes: Changes = {}): Histories {
  const { table, ...rest } = changes;
  return {
    clients: [insert],
    requests: [request],
    classes: { lookup: 'lookup', blind: 'blind', idempotent: 'idempotent' },
    orderedBeyond: undefined,
    newestFrom: undefined,
    left: { pending: 0 },
    fairness: undefined,
    ...rest,
    table: { rows: [row], plans: [plan], ledger: [attempt], markedDead: new Map(), died: new Set(), ...table },
  };
}

const again = { ...request, at: 2_000, accepted: false };
const NEWEST = 'the newest of its backlog go first';
/** Had its turn a hundred seconds after it was due, so it waits for ten. */
const putOff: typeof attempt = {
  ...attempt,
  startedAt: null,
  finishedAt: 101_000,
  outcome: { kind: 'retry', reason: NEWEST },
  settlement: { state: 'scheduled', inDoubt: false, error: NEWEST, delayMs: 10_000 },
};
const older = { id: 2, dueAt: 1_000 };
const newer = { id: 1, dueAt: 41_000 };
const planted: readonly (readonly [what: string, invariant: Invariant, histories: Histories])[] = [
  [
    'a message of a backlog that is not put off',
    'backlog',
    histories({ newestFrom: 0, requests: [{ ...request, at: 101_000 }] }),
  ],
  [
    'a message of a backlog that leaves too soon',
    'backlog',
    histories({ newestFrom: 0, requests: [{ ...request, at: 105_000 }], table: { ledger: [putOff] } }),
  ],
  [
    'a message of a backlog that is put off twice',
    'backlog',
    histories({
      newestFrom: 0,
      requests: [{ ...request, at: 125_000 }],
      table: { ledger: [putOff, { ...putOff, version: 2, finishedAt: 112_000 }] },
    }),
  ],
  [
    'an older message of a backlog before a newer one',
    'backlog',
    histories({
      newestFrom: 0,
      clients: [insert, { ...insert, id: 2 }],
      requests: [
        { ...request, ...older, at: 125_000 },
        { ...request, ...newer, at: 126_000 },
      ],
      table: {
        rows: [
          { ...row, ...older },
          { ...row, ...newer },
        ],
        plans: [plan, { ...plan, id: 2 }],
        ledger: [putOff, { ...putOff, id: 2 }],
      },
    }),
  ],
  ['a message that is gone', 'I1', histories({ requests: [], table: { rows: [], ledger: [] } })],
  [
    'a message that is canceled though nobody asked for it',
    'I1',
    histories({ requests: [], table: { rows: [{ ...row, state: 'canceled' }], ledger: [] } }),
  ],
  ['a request before its wake', 'I2', histories({ requests: [{ ...request, at: 999.9 }] })],
  [
    'a retry before its wake',
    'I2',
    histories({ table: { plans: [plan, { ...plan, version: 2, wakeAt: 1_100, committedAt: 1_001 }] } }),
  ],
  [
    'a request after an acknowledged cancel',
    'I3',
    histories({ clients: [insert, cancel], table: { rows: [{ ...row, state: 'canceled' }] } }),
  ],
  ['old content after an acknowledged edit', 'I3', histories({ clients: [insert, edit] })],
  [
    'old content after SQL that forgot the version',
    'I3',
    histories({
      clients: [insert, { kind: 'overwrite', id: 1, content: '"two"', invokedAt: 900, endedAt: 950, result: 'ok' }],
    }),
  ],
  [
    'a version that was sent with other content',
    'I3',
    histories({ table: { ledger: [{ ...attempt, contentHash: hashOf('"two"') }] } }),
  ],
  [
    'two accepted',
    'I4',
    histories({ requests: [request, { ...again, accepted: true }], table: { died: new Set(['w']), ledger: [] } }),
  ],
  ['two keys', 'I4', histories({ requests: [request, { ...again, key: 'key-2' }], table: { died: new Set(['w']) } })],
  [
    'a request repeated after a death, though the ledger had its outcome when its row was put back',
    'I4',
    histories({
      requests: [request, again],
      table: { plans: [plan, { ...plan, version: 2, committedAt: 1_023 }], died: new Set(['w']) },
    }),
  ],
  ['a request repeated without a reason', 'I4', histories({ requests: [request, again] })],
  [
    'a request repeated on a blind channel after a death',
    'I4',
    histories({
      requests: [request, again],
      table: { rows: [{ ...row, channel: 'blind' }], ledger: [], died: new Set(['w']) },
    }),
  ],
  ['a request of the dead', 'I4', histories({ table: { markedDead: new Map([['w', 1_004]]) } })],
  [
    'two messages out of order',
    'I5',
    histories({
      clients: [insert, { ...insert, id: 2 }],
      requests: [
        { ...request, id: 2 },
        { ...request, at: 1_006 },
      ],
      table: {
        rows: [row, { ...row, id: 2 }],
        plans: [plan, { ...plan, id: 2 }],
        ledger: [attempt, { ...attempt, id: 2 }],
      },
      orderedBeyond: 500,
    }),
  ],
  ['delivered, and never accepted', 'I6', histories({ requests: [{ ...request, accepted: false }] })],
  ['accepted, and failed', 'I6', histories({ table: { rows: [{ ...row, state: 'failed' }] } })],
  ['a request for what is not in the table', 'I6', histories({ requests: [request, { ...request, id: 9 }] })],
  [
    'a message that is late while another account does harm',
    'fair',
    histories({
      fairness: { within: 100, harmful: ['b'], stuck: [], heldBytes: 0, maxHeldBytes: 9 },
      requests: [{ ...request, at: 1_101 }],
      table: { ledger: [{ ...attempt, startedAt: 1_101 }] },
    }),
  ],
  [
    'a partition that stands still while a transaction holds a row',
    'fair',
    histories({ fairness: { within: 100, harmful: ['b'], stuck: ['partition 0'], heldBytes: 0, maxHeldBytes: 9 } }),
  ],
  [
    'a bolt that holds more than it may',
    'fair',
    histories({ fairness: { within: 100, harmful: ['b'], stuck: [], heldBytes: 10, maxHeldBytes: 9 } }),
  ],
  ['a request after the end of its time', 'late', histories({ table: { plans: [{ ...plan, end: 1_004 }] } })],
  [
    'a message that was skipped before the end of its time',
    'late',
    histories({
      requests: [],
      table: {
        rows: [{ ...row, state: 'failed', isLate: true }],
        plans: [{ ...plan, end: 9_000 }],
        ledger: [{ ...attempt, ...skipped }],
      },
    }),
  ],
  ['something pending', 'I7', histories({ left: { pending: 1 } })],
  ['a row that is still being sent', 'I7', histories({ table: { rows: [{ ...row, state: 'sending' }] } })],
  ['rows that nobody asked for', 'I7', histories({ table: { rows: [row, { ...row, id: 2, state: 'failed' }] } })],
];

describe('the judge', () => {
  test('finds nothing in a history in which nothing is wrong', () => {
    expect(judge(histories())).toEqual([]);
    expect(judge(histories({ clients: [insert, { ...cancel, result: 'refused' }], orderedBeyond: 500 }))).toEqual([]);
  });

  test('finds nothing in repeated requests that a death or a lost answer explains', () => {
    const explained = [
      histories({ requests: [request, again], table: { ledger: [], died: new Set(['w']) } }),
      histories({
        requests: [request, again],
        table: { ledger: [{ ...attempt, outcome: { kind: 'unknown', reason: '' } }] },
      }),
      histories({
        requests: [
          { ...request, accepted: false },
          { ...again, accepted: true },
        ],
        table: { ledger: [{ ...attempt, outcome: { kind: 'retry', reason: '' } }] },
      }),
      histories({
        clients: [insert, cancel],
        requests: [],
        table: { rows: [{ ...row, state: 'canceled' }], ledger: [] },
      }),
      histories({ table: { rows: [{ ...row, state: 'uncertain' }] } }),
      histories({
        requests: [],
        table: {
          rows: [{ ...row, state: 'failed', isLate: true }],
          plans: [{ ...plan, end: 1_009 }],
          ledger: [{ ...attempt, ...skipped }],
        },
      }),
      histories({ clients: [insert, { ...edit, endedAt: Number.POSITIVE_INFINITY, result: 'unknown' }] }),
      histories({ clients: [{ ...insert, id: undefined, result: 'unknown' }] }),
    ];
    expect(explained.flatMap(judge)).toEqual([]);
  });

  test.each(planted)('finds %s (%s)', (_, invariant, broken) => {
    expect(judge(broken).map((violation) => violation.invariant)).toContain(invariant);
  });
});
