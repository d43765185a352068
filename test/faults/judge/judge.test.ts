import { type Invariant } from '../../../connectors/mysql/operators/verify/seen';
import { BY_PERSON } from '../../../connectors/mysql/schema/doubt';
import type { ClientOperation, Histories } from './history';
import { judge } from './judge';
import { attempt, busy, histories, request, row, rowAfter, scheduled, second, session } from './scene';

const cancel: ClientOperation = { kind: 'cancel', id: 1, invokedAt: 1_200, endedAt: 1_250, result: 'ok' };
const edit: ClientOperation = { kind: 'edit', id: 1, content: 'two', invokedAt: 900, endedAt: 950, result: 'ok' };
const canceled = {
  ...row,
  state: 'canceled' as const,
  version: 3,
  wakeAt: null,
  deliveredAt: null,
  receipt: null,
  updatedAt: 1_220,
};
const refused = { ...request, accepted: false };
const again = { ...request, at: 2_005 };
const doubted = { ...rowAfter, inDoubt: true };
const unknown = { ...busy, outcome: 'unknown' as const };
const uncertain = { ...row, state: 'uncertain' as const, inDoubt: true, deliveredAt: null, receipt: null };
const other = { ...row, id: 2 };

const healthy: readonly (readonly [what: string, histories: Histories])[] = [
  ['one message, delivered', histories()],
  [
    'a refusal and a second attempt',
    histories({ requests: [refused, again], table: { rows: [rowAfter], attempts: [busy, second] } }),
  ],
  [
    'an answer that was lost, and the same key again',
    histories({
      requests: [request, { ...again, accepted: false }],
      table: { rows: [doubted], attempts: [unknown, second] },
    }),
  ],
  [
    'an answer that was not waited for, whose request arrives after an attempt without one',
    histories({
      requests: [
        { ...request, at: 1_700 },
        { ...again, accepted: false, at: 2_005 },
      ],
      table: {
        rows: [{ ...doubted, version: 3 }],
        attempts: [
          unknown,
          { ...busy, version: 2, wakeAt: 1_400, startedAt: null, finishedAt: 1_500 },
          { ...second, version: 3 },
        ],
      },
    }),
  ],
  [
    'a worker that died while it was sending',
    histories({ requests: [request, { ...again, accepted: false }], table: { rows: [doubted], attempts: [second] } }),
  ],
  [
    'a worker that died and whose outcome was written late',
    histories({
      requests: [request, { ...again, accepted: false }],
      table: { rows: [doubted], attempts: [{ ...attempt, session: 'd' }, second] },
    }),
  ],
  [
    'a second attempt under another key after an edit',
    histories({
      clients: [scheduled, { kind: 'edit', id: 1, dueAt: 2_000, invokedAt: 1_500, endedAt: 1_510, result: 'ok' }],
      requests: [refused, { ...again, key: 'downspout-0123456789abcdef-1-2' }],
      table: { rows: [rowAfter], attempts: [busy, second] },
    }),
  ],
  [
    'a cancel between two attempts',
    histories({ clients: [scheduled, cancel], requests: [refused], table: { rows: [canceled], attempts: [busy] } }),
  ],
  [
    'a cancel without an answer, either way',
    histories({ clients: [scheduled, { ...cancel, endedAt: Number.POSITIVE_INFINITY, result: 'unknown' }] }),
  ],
  [
    'an edit without an answer, either way',
    histories({ clients: [scheduled, { ...edit, endedAt: Number.POSITIVE_INFINITY, result: 'unknown' }] }),
  ],
  [
    'an edit that is answered while its request arrives',
    histories({ clients: [scheduled, { ...edit, endedAt: 1_005 }] }),
  ],
  [
    'a schedule without an answer that took effect',
    histories({ clients: [{ ...scheduled, id: undefined, endedAt: Number.POSITIVE_INFINITY, result: 'unknown' }] }),
  ],
  [
    'a schedule without an answer that did not',
    histories({
      clients: [scheduled, { ...scheduled, id: undefined, endedAt: Number.POSITIVE_INFINITY, result: 'unknown' }],
    }),
  ],
  [
    'a schedule that was tried again',
    histories({ clients: [scheduled, { ...scheduled, invokedAt: 20, endedAt: 30 }] }),
  ],
  [
    'a blind message that a person wants sent again',
    histories({
      requests: [refused, again],
      table: {
        rows: [{ ...doubted, channel: 'blind' }],
        attempts: [{ ...unknown, settled: 'uncertain' }, { ...busy, session: BY_PERSON, startedAt: null }, second],
      },
    }),
  ],
  [
    'a blind message that a person knows to be delivered',
    histories({
      requests: [refused],
      table: {
        rows: [{ ...row, channel: 'blind', inDoubt: true, deliveredAt: 5 }],
        attempts: [
          { ...unknown, settled: 'uncertain' },
          { ...attempt, session: BY_PERSON, startedAt: null },
        ],
      },
    }),
  ],
];

const planted: readonly (readonly [what: string, invariant: Invariant, histories: Histories])[] = [
  ['a message that is gone', 'I1', histories({ requests: [], table: { rows: [], attempts: [] } })],
  [
    'a message of which only the dedupe key is known, and no row has it',
    'I1',
    histories({ clients: [scheduled, { ...scheduled, id: undefined }] }),
  ],
  [
    'a message that is canceled though nobody asked for it',
    'I1',
    histories({ requests: [], table: { rows: [canceled], attempts: [] } }),
  ],
  ['a request before it is due', 'I2', histories({ requests: [{ ...request, at: 999 }] })],
  [
    'a request before the new due time of an edit',
    'I2',
    histories({
      clients: [scheduled, { kind: 'edit', id: 1, dueAt: 1_007, invokedAt: 900, endedAt: 950, result: 'ok' }],
    }),
  ],
  [
    'a retry before its wake',
    'I2',
    histories({
      requests: [refused, { ...again, at: 1_999 }],
      table: { rows: [rowAfter], attempts: [busy, second] },
    }),
  ],
  [
    'a retry before its wake, after an attempt without a request',
    'I2',
    histories({
      requests: [refused, { ...again, at: 1_700 }],
      table: {
        rows: [{ ...rowAfter, version: 3 }],
        attempts: [
          busy,
          { ...busy, version: 2, wakeAt: 1_400, startedAt: null, finishedAt: 1_500 },
          { ...second, version: 3 },
        ],
      },
    }),
  ],
  ['an attempt that began before its wake', 'I2', histories({ table: { attempts: [{ ...attempt, startedAt: 999 }] } })],
  [
    'a request after an acknowledged cancel',
    'I3',
    histories({
      clients: [scheduled, cancel],
      requests: [{ ...refused, at: 1_251 }],
      table: { rows: [canceled], attempts: [busy] },
    }),
  ],
  ['old content after an acknowledged edit', 'I3', histories({ clients: [scheduled, edit] })],
  [
    'the content of an edit that was refused',
    'I3',
    histories({ clients: [scheduled, { ...edit, result: 'fail' }], requests: [{ ...request, content: 'two' }] }),
  ],
  ['content that nobody asked for', 'I3', histories({ requests: [{ ...request, content: 'three' }] })],
  [
    'a version that was sent with other content than the row has',
    'I3',
    histories({ table: { attempts: [{ ...attempt, contentHash: 'two' }] } }),
  ],
  [
    'an attempt that began after the cancel',
    'I3',
    histories({
      clients: [scheduled, cancel],
      requests: [refused],
      table: { rows: [canceled], attempts: [{ ...busy, startedAt: 1_221 }] },
    }),
  ],
  [
    'two accepted',
    'I4',
    histories({ requests: [request, again], table: { rows: [doubted], attempts: [unknown, second] } }),
  ],
  [
    'a second attempt under another key without an edit',
    'I4',
    histories({
      requests: [refused, { ...again, key: 'downspout-0123456789abcdef-1-2' }],
      table: { rows: [rowAfter], attempts: [busy, second] },
    }),
  ],
  [
    'a request that the ledger does not know, and nobody died',
    'I4',
    histories({ requests: [request, { ...again, accepted: false }] }),
  ],
  [
    'a message sent again after it was delivered, by a worker that lives',
    'I4',
    histories({
      requests: [request, { ...again, accepted: false }],
      table: { rows: [doubted], attempts: [attempt, second] },
    }),
  ],
  [
    'a blind message sent again after a death',
    'I4',
    histories({
      requests: [refused, again],
      table: { rows: [{ ...doubted, channel: 'blind' }], attempts: [second] },
    }),
  ],
  [
    'a blind message sent again after an unknown outcome',
    'I4',
    histories({
      requests: [request],
      table: { rows: [{ ...doubted, channel: 'blind' }], attempts: [unknown, second] },
    }),
  ],
  ['a request of the dead', 'I4', histories({ table: { sessions: [{ ...session, dead: true, leaseUntil: 1_003 }] } })],
  ['one version sent by two', 'I4', histories({ table: { attempts: [attempt, { ...attempt, session: 'd' }] } })],
  [
    'two messages out of order',
    'I5',
    histories({
      clients: [scheduled, { ...scheduled, id: 2, dueAt: 1_001 }],
      requests: [
        { ...request, at: 1_006 },
        { ...request, key: 'downspout-0123456789abcdef-2-1' },
      ],
      table: {
        rows: [row, { ...other, dueAt: 1_001, wakeAt: 1_001 }],
        attempts: [attempt, { ...attempt, id: 2, wakeAt: 1_001, startedAt: 1_003 }],
      },
      orderedBeyond: 500,
    }),
  ],
  ['delivered, and never accepted', 'I6', histories({ requests: [refused] })],
  [
    'accepted, and failed',
    'I6',
    histories({
      table: {
        rows: [{ ...row, state: 'failed' }],
        attempts: [{ ...attempt, outcome: 'rejected', settled: 'failed' }],
      },
    }),
  ],
  [
    'canceled for the client, and delivered',
    'I6',
    histories({ clients: [scheduled, { ...cancel, invokedAt: 1_000, endedAt: 1_006 }] }),
  ],
  [
    'a request for what is not in the table',
    'I6',
    histories({ requests: [request, { ...request, key: 'downspout-0123456789abcdef-9-1' }] }),
  ],
  [
    'failed, and no attempt says so',
    'I6',
    histories({ requests: [], table: { rows: [{ ...row, state: 'failed' }], attempts: [] } }),
  ],
  [
    'uncertain, and not in doubt',
    'I6',
    histories({ requests: [], table: { rows: [{ ...uncertain, inDoubt: false }], attempts: [] } }),
  ],
  ['lag that stays', 'I7', histories({ left: { lag: 1 } })],
  [
    'a row that still waits',
    'I7',
    histories({ requests: [], table: { rows: [{ ...row, state: 'scheduled' }], attempts: [] } }),
  ],
  [
    'a row that is still being sent',
    'I7',
    histories({ table: { rows: [{ ...row, state: 'sending' }], attempts: [] } }),
  ],
  [
    'rows that nobody asked for',
    'I7',
    histories({ table: { rows: [row, { ...other, state: 'uncertain', inDoubt: true }] } }),
  ],
  ['more attempts than versions', 'I7', histories({ table: { rows: [{ ...row, attempts: 2 }] } })],
];

test.each(healthy)('the judge finds nothing in %s', (_, history) => {
  expect(judge(history)).toEqual([]);
});

test.each(planted)('the judge finds %s (%s), and nothing else', (_, invariant, history) => {
  const found = judge(history);
  expect(found.map((violation) => violation.invariant)).toEqual([invariant]);
});

test('the order of what was disturbed is not judged', () => {
  const disturbed = histories({
    ...planted.find(([, invariant]) => invariant === 'I5')?.[2],
    orderedBeyond: undefined,
  });
  expect(judge(disturbed)).toEqual([]);
});
