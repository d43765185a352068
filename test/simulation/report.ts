import { judge, type Violation } from './judge/judge';
import { type Run, Simulation } from './simulation';
import type { Sabotage } from './world/sabotage';
import type { Scenario } from './world/scenario';

export interface Judged extends Run {
  readonly seed: number;
  readonly scenario: Scenario;
  readonly violations: readonly Violation[];
}

const MESSAGES = 3;

/** Runs one seed and judges it. @throws when a worker threw what is no instruction: that is a bug, and the text names the seed */
export async function judged(seed: number, changed?: Partial<Scenario>, sabotage?: Sabotage): Promise<Judged> {
  const simulation = new Simulation(seed, changed, sabotage);
  try {
    const run = await simulation.run();
    return { ...run, seed, scenario: simulation.scenario, violations: judge(run.histories) };
  } catch (error) {
    throw new Error(`seed ${seed}: a bug in a worker`, { cause: error });
  }
}

/** Explains a run that broke a promise: what was broken, in which world, and the events of the messages concerned. */
export function explain({ seed, scenario, violations, histories }: Judged): string {
  const ids = [...new Set(violations.map(({ id }) => id))].filter((id) => id !== 0).slice(0, MESSAGES);
  const { clients, requests, table } = histories;
  const events = ids.flatMap((id) =>
    [
      ...clients.map((one) => ({ at: one.invokedAt, kind: 'asked', one })),
      ...table.plans.map((one) => ({ at: one.committedAt, kind: 'plan', one })),
      ...requests.map((one) => ({ at: one.at, kind: 'request', one })),
      ...table.ledger.map((one) => ({ at: one.finishedAt, kind: 'attempt', one })),
      ...table.rows.map((one) => ({ at: Number.POSITIVE_INFINITY, kind: 'row', one })),
    ]
      .filter(({ one }) => one.id === id)
      .toSorted((a, b) => a.at - b.at)
      .map(({ kind, one }) => `  ${kind} ${JSON.stringify(one)}`),
  );
  return [
    `seed ${seed} (SIMULATION_SEED=${seed} npx jest test/simulation)`,
    ...violations.map(({ invariant, id, what }) => `  ${invariant} message ${id}: ${what}`),
    `  ${JSON.stringify(scenario)}`,
    ...events,
  ].join('\n');
}
