import type { AttemptResult } from '../../bolts/send-rows';
import { violationsOf } from '../../connectors/mysql/verify-rules';
import type { SeenAttempt, SeenRow, SeenSession } from '../../connectors/mysql/verify-seen';
import { type MemoryRow, wakeOf } from '../support/memory-table';
import { hashOf } from './judge';
import { Simulation } from './simulation';

const RUNS = Number(process.env['SIMULATION_RUNS'] ?? 100);
/** So long that whatever stands still is found in the end. */
const PATIENCE = 0;

test(`what verify says of the table agrees with what happened (${RUNS} runs)`, async () => {
  const said: unknown[] = [];
  for (let seed = 1; seed <= RUNS; seed++) {
    const simulation = new Simulation(seed);
    const { histories } = await simulation.run();
    const { rows, ledger } = histories.table;
    const sessions = sessionsOf(simulation);
    const overwritten = new Set(histories.clients.flatMap(({ kind, id }) => (kind === 'overwrite' ? [id] : [])));
    for (const row of rows) {
      const attempts = ledger
        .filter(({ id }) => id === row.id)
        .map(seenAttempt)
        .toSorted((a, b) => a.version - b.version);
      const found = violationsOf(
        { row: seenRow(row), attempts },
        {
          now: simulation.database.now(),
          sessions,
          classOf: (channel) => histories.classes[channel],
          isTended: () => true,
          patience: PATIENCE,
        },
      );
      // SQL that changes what is being sent makes the ledger and the row differ.
      const counted = found.filter(({ invariant }) => invariant !== 'I3' || !overwritten.has(row.id));
      if (counted.length > 0) said.push({ seed, counted, row, attempts });
    }
  }
  expect(said.slice(0, 2)).toEqual([]);
}, 120_000);

function seenRow(row: MemoryRow): SeenRow {
  return {
    ...row,
    wakeAt: wakeOf(row),
    session: row.claim ?? '',
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

function sessionsOf({ database }: Simulation): Map<string, SeenSession> {
  return new Map(
    [...database.workers].map(([session, { components, leaseUntil, dead }]) => [
      session,
      { session, components, startedAt: 0, leaseUntil, dead, left: false },
    ]),
  );
}
