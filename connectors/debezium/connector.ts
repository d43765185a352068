import type { Clock } from '../../topology/core/clock';
import { reasonOf, Unavailable, UserError } from '../../topology/core/errors';

/** For one answer: validating a configuration includes a connection to MySQL. */
const ANSWER_LIMIT_MS = 20_000;
const RETRY_MS = 250;
/** Connect rebalances, or MySQL does not answer yet: both pass. */
const PASSING = new Set([409, 500, 503]);

interface TaskStatus {
  readonly id: number;
  readonly state: string;
  /** The first line of the reason of a failure. */
  readonly failure: string | null;
}

export interface ConnectorStatus {
  readonly state: string;
  readonly failure: string | null;
  readonly tasks: readonly TaskStatus[];
}

interface RestStatus {
  readonly connector: { readonly state: string; readonly trace?: string };
  readonly tasks: readonly { readonly id: number; readonly state: string; readonly trace?: string }[];
}

/** One connector, through the REST interface of Kafka Connect. Every call throws Unavailable when that does not answer. */
export class Connector {
  private readonly url: string;

  constructor(
    connectUrl: string,
    readonly name: string,
    private readonly clock: Clock,
  ) {
    this.url = `${connectUrl.replace(/\/+$/, '')}/connectors/${encodeURIComponent(name)}`;
  }

  /**
   * Creates the connector or gives it these settings, and waits until it and its task say RUNNING. That alone proves
   * nothing: the caller watches a change come through.
   * @throws UserError when the settings are refused, or with the reason of a failure that did not pass in time
   */
  async register(settings: Readonly<Record<string, string>>, limitMs: number): Promise<void> {
    const end = this.clock.monotonic() + limitMs;
    await this.untilAccepted(settings, end);
    let last: ConnectorStatus | null = null;
    while (this.clock.monotonic() < end) {
      last = await this.status();
      if (last !== null && isRunning(last)) return;
      if (last !== null && failuresOf(last).length > 0) await this.restartFailed();
      await this.clock.sleep(RETRY_MS);
    }
    const failures = last === null ? [] : failuresOf(last);
    throw new UserError(
      `The connector ${this.name} did not start within ${limitMs / 1_000} s: ${failures.join('; ') || last?.state || 'it is unknown to Connect'}`,
    );
  }

  /** @returns null when there is no such connector */
  async status(): Promise<ConnectorStatus | null> {
    const response = await this.request('GET', '/status');
    if (response.status === 404) return null;
    if (!response.ok) throw new Unavailable(`Connect answered ${response.status} for the state of ${this.name}`);
    const status = JSON.parse(response.text) as RestStatus;
    return {
      state: status.connector.state,
      failure: firstLine(status.connector.trace),
      tasks: status.tasks.map((task) => ({ id: task.id, state: task.state, failure: firstLine(task.trace) })),
    };
  }

  /** Restarts the connector and its tasks where they have failed. While Connect rebalances nothing happens. */
  async restartFailed(): Promise<void> {
    const response = await this.request('POST', '/restart?includeTasks=true&onlyFailed=true');
    if (!response.ok && !PASSING.has(response.status) && response.status !== 404) {
      throw new Unavailable(`Connect answered ${response.status} to the restart of ${this.name}`);
    }
  }

  /** Removes the connector and waits until it is gone; nothing happens when there is none. */
  async remove(limitMs: number): Promise<void> {
    const end = this.clock.monotonic() + limitMs;
    for (;;) {
      // Its task may still be stopping after the answer: only a connector that is unknown is gone.
      const { status } = await this.request('DELETE', '');
      if (status === 404) return;
      if ((status >= 300 && !PASSING.has(status)) || this.clock.monotonic() >= end) {
        throw new Unavailable(`Connect answered ${status} to the removal of ${this.name}`);
      }
      await this.clock.sleep(RETRY_MS);
    }
  }

  private async untilAccepted(settings: Readonly<Record<string, string>>, end: number): Promise<void> {
    for (;;) {
      const { ok, status, text } = await this.request('PUT', '/config', settings);
      if (ok) return;
      const reason = `Connect refused the connector ${this.name} (${status}): ${withoutSecrets(messageOf(text), settings)}`;
      if (!PASSING.has(status)) throw new UserError(reason);
      if (this.clock.monotonic() >= end) throw new Unavailable(reason);
      await this.clock.sleep(RETRY_MS);
    }
  }

  private async request(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ ok: boolean; status: number; text: string }> {
    try {
      const response = await fetch(`${this.url}${path}`, {
        method,
        signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
        ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
      });
      return { ok: response.ok, status: response.status, text: await response.text() };
    } catch (error) {
      const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
      throw new Unavailable(`Kafka Connect does not answer at ${new URL(this.url).host}: ${reasonOf(cause)}`);
    }
  }
}

/** Why the connector and its tasks have failed, one line each. */
export function failuresOf(status: ConnectorStatus): string[] {
  const parts = [
    { name: 'connector', state: status.state, failure: status.failure },
    ...status.tasks.map((task) => ({ name: `task ${task.id}`, state: task.state, failure: task.failure })),
  ];
  return parts.flatMap(({ name, state, failure }) =>
    state === 'FAILED' ? [`${name}: ${failure ?? 'no reason given'}`] : [],
  );
}

function isRunning(status: ConnectorStatus): boolean {
  return (
    status.state === 'RUNNING' && status.tasks.length > 0 && status.tasks.every(({ state }) => state === 'RUNNING')
  );
}

function firstLine(trace: string | undefined): string | null {
  return trace?.split('\n', 1)[0]?.slice(0, 300) ?? null;
}

function messageOf(text: string): string {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    return (typeof message === 'string' ? message : text).slice(0, 1_000);
  } catch {
    return text.slice(0, 1_000);
  }
}

function withoutSecrets(text: string, settings: Readonly<Record<string, string>>): string {
  const secret = settings['database.password'];
  return secret ? text.replaceAll(secret, '***') : text;
}
