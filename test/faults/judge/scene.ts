import type { SeenAttempt, SeenRow, SeenSession } from '../../../connectors/mysql/operators/verify/seen';
import type { ClientOperation, Histories, ReceivedRequest, TableHistory } from './history';

/** The parts of a history in which message 1 was scheduled for 1,000 and delivered as it should be. */
export const row: SeenRow = {
  id: 1,
  account: 'a',
  channel: 'idempotent',
  dueAt: 1_000,
  wakeAt: 1_000,
  state: 'delivered',
  version: 1,
  attempts: 1,
  planNumber: 1,
  planVersion: 1,
  inDoubt: false,
  session: 'w',
  deliveredAt: 1_010,
  receipt: 'r',
  createdAt: 0,
  updatedAt: 1_100,
  payloadHash: 'one',
};
export const attempt: SeenAttempt = {
  id: 1,
  version: 1,
  session: 'w',
  wakeAt: 1_000,
  contentHash: 'one',
  startedAt: 1_004,
  finishedAt: 1_010,
  outcome: 'delivered',
  settled: 'delivered',
  receipt: 'r',
  recordedAt: 1_100,
};
export const session: SeenSession = {
  session: 'w',
  components: ['idempotent'],
  startedAt: 0,
  leaseUntil: 20_000,
  dead: false,
  left: false,
};
const died: SeenSession = { ...session, session: 'd', leaseUntil: 10_000, dead: true };
export const scheduled: ClientOperation = {
  kind: 'schedule',
  id: 1,
  content: 'one',
  dueAt: 1_000,
  invokedAt: 0,
  endedAt: 10,
  result: 'ok',
};
export const request: ReceivedRequest = {
  key: 'downspout-0123456789abcdef-1-1',
  at: 1_005,
  content: 'one',
  accepted: true,
};

/** A first attempt that the receiver refused for now. */
export const busy: SeenAttempt = { ...attempt, outcome: 'retry', settled: 'scheduled', receipt: null };
/** The one that followed it, and the row after that. */
export const second: SeenAttempt = {
  ...attempt,
  version: 2,
  wakeAt: 2_000,
  startedAt: 2_004,
  finishedAt: 2_010,
  recordedAt: 2_100,
};
export const rowAfter: SeenRow = {
  ...row,
  version: 2,
  attempts: 2,
  wakeAt: 2_000,
  deliveredAt: 2_010,
  updatedAt: 2_100,
};

export type Changes = Partial<Omit<Histories, 'table'>> & { readonly table?: Partial<TableHistory> };

/** The history of message 1, but for what is changed. */
export function histories({ table, ...changes }: Changes = {}): Histories {
  return {
    clients: [scheduled],
    requests: [request],
    classes: { idempotent: 'idempotent', lookup: 'lookup', blind: 'blind' },
    left: { lag: 0 },
    ...changes,
    table: { now: 3_000, rows: [row], attempts: [attempt], sessions: [session, died], ...table },
  };
}
