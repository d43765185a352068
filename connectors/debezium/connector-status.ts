/** Connect keeps these over restarts: somebody asked for them. */
const HALTED = new Set(['PAUSED', 'STOPPED']);
/**
 * Failures that come again at every restart, because what Debezium wants to read is gone or cannot be read: its topic with
 * the schema's history, the binlog, or a row that was logged in part.
 */
const UNREADABLE = /history topic|schema history|no longer available|purged|(column|row) size|deserializ/i;
/** A row that was logged in part. No setting of the server says so, because any session may choose for itself. */
const PARTIAL_ROW = /(column|row) size/i;

interface TaskStatus {
  readonly id: number;
  readonly state: string;
  /** The worker of Connect that runs it, as Connect calls it. */
  readonly worker: string;
  /** What failed, and the cause of it. */
  readonly failure: string | null;
}

export interface ConnectorStatus {
  readonly state: string;
  /** The worker of Connect that runs it: host:port, as Connect calls it. */
  readonly worker: string;
  readonly failure: string | null;
  readonly tasks: readonly TaskStatus[];
}

/** Why the connector and its tasks have failed, one line each. */
export function failuresOf(status: ConnectorStatus): string[] {
  const parts = [
    { name: 'connector', state: status.state, failure: status.failure },
    ...status.tasks.map((task) => ({ name: `task ${task.id}`, state: task.state, failure: task.failure })),
  ];
  return parts.flatMap(({ name, state, failure }) =>
    state === 'FAILED' ? [`${name}: ${failure ?? 'no reason given'}${hintOf(failure)}`] : [],
  );
}

function hintOf(failure: string | null): string {
  if (failure === null || !PARTIAL_ROW.test(failure)) return '';
  return '. A program has written with a binlog_row_image other than FULL in its session, and CDC can read whole rows only: have it leave that setting alone';
}

/** Why it does not run although nothing failed; a restart does not help. */
export function haltOf(status: ConnectorStatus | null): string[] {
  if (status === null) return ['the connector does not exist: `downspout provision` makes it'];
  return isHalted(status) ? [`the connector is ${status.state}: \`downspout provision\` resumes it`] : [];
}

export function isHalted({ state }: ConnectorStatus): boolean {
  return HALTED.has(state);
}

/** No restart helps: it has to begin again. */
export function cannotReadOn(status: ConnectorStatus): boolean {
  return failuresOf(status).some((failure) => UNREADABLE.test(failure));
}

export function isRunning(status: ConnectorStatus): boolean {
  return (
    status.state === 'RUNNING' && status.tasks.length > 0 && status.tasks.every(({ state }) => state === 'RUNNING')
  );
}

/** The state as Connect answers it; null when it is something else. */
export function statusOf(answer: unknown): ConnectorStatus | null {
  const { connector, tasks } = Object(answer) as Record<string, unknown>;
  if (!Array.isArray(tasks)) return null;
  const [own, ...others] = [connector, ...(tasks as unknown[])].map((part) => {
    const { id, state, trace, worker_id: worker } = Object(part) as Record<string, unknown>;
    return {
      id: Number(id),
      state,
      worker: String(worker),
      failure: typeof trace === 'string' ? reasonOfTrace(trace) : null,
    };
  });
  if (own === undefined || !isState(own) || !others.every(isState)) return null;
  return { state: own.state, worker: own.worker, failure: own.failure, tasks: others };
}

function isState(part: { readonly state: unknown }): part is TaskStatus {
  return typeof part.state === 'string';
}

/** The first line of a Java stack trace says what failed, and the last cause says why. */
function reasonOfTrace(trace: string): string {
  const lines = trace.split('\n');
  const cause = lines.findLast((line) => line.startsWith('Caused by: '));
  return [lines[0] ?? '', ...(cause === undefined ? [] : [cause])].map((line) => line.slice(0, 300)).join(' – ');
}
