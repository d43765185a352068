import type { Clock } from '../../topology/core/clock';
import { Unavailable, UserError } from '../../topology/core/errors';
import type { ConnectConnection } from '../../topology/settings/connections';
import { type ConnectAnswer, ConnectRest } from './connect-rest';
import {
  type ConnectorStatus,
  cannotReadOn,
  failuresOf,
  haltOf,
  isHalted,
  isRunning,
  statusOf,
} from './connector-status';

const RETRY_MS = 250;
/** For each of marking a connector and resuming it, beyond the limit of what stopped it. */
const RESUME_LIMIT_MS = 5_000;
/** Connect, or what stands before it, lets us look and not change. */
const NOT_ALLOWED = new Set([403, 405]);
/**
 * What passes: Connect rebalances (409) or MySQL does not answer yet (500), or what stands before Connect has nobody to ask,
 * waits too long, or lets fewer through.
 */
function isPassing(status: number): boolean {
  return [408, 409, 425, 429].includes(status) || status >= 500;
}

/** Stands in the settings of a connector from before we stop it, so that it begins again, until it has been resumed. */
const BEGINS_AGAIN = 'downspout.begins.again';
/** What a Connect older than 3.8, or what stands before it, answers when settings are to be changed one by one. The mark only helps. */
const CANNOT_MARK = new Set([403, 404, 405, 501]);
/** One connector, through the REST interface of Kafka Connect. Every call throws Unavailable when that does not answer. */
export class Connector {
  private readonly rest: ConnectRest;
  private readonly path: string;

  constructor(
    connection: ConnectConnection,
    readonly name: string,
    private readonly clock: Clock,
  ) {
    this.rest = new ConnectRest(connection);
    this.path = `/connectors/${encodeURIComponent(name)}`;
  }

  /**
   * Creates the connector or gives it these settings, and waits until it and its task say RUNNING. That alone proves
   * nothing: the caller watches a change come through. A connector that somebody paused or stopped is resumed, and one that
   * can never read on from where it was begins again at the present.
   * @returns false when we may not do it: somebody else keeps this connector
   * @throws UserError when the settings are refused, or with the reason of a failure that did not pass in time
   * @throws Unavailable when Connect did not answer in the end
   */
  async register(settings: Readonly<Record<string, string>>, limitMs: number): Promise<boolean> {
    const end = this.clock.monotonic() + limitMs;
    if (!(await this.untilAccepted(settings, end))) return false;
    let last: ConnectorStatus | null = null;
    let failure: Unavailable | undefined;
    while (this.clock.monotonic() < end) {
      try {
        last = await this.status();
        failure = undefined;
        if (last !== null && isRunning(last)) return true;
        if (last !== null) await this.help(last, end);
      } catch (error) {
        // Connect, or what stands before it, may be on its way up still.
        if (!(error instanceof Unavailable)) throw error;
        failure = error;
      }
      await this.clock.sleep(RETRY_MS);
    }
    if (failure !== undefined) throw failure;
    const failures = last === null ? [] : failuresOf(last);
    throw new UserError(
      `The connector ${this.name} did not start within ${limitMs / 1_000} s: ${failures.join('; ') || last?.state || 'it is unknown to Connect'}`,
    );
  }

  /** What may make it run. */
  private async help(status: ConnectorStatus, end: number): Promise<void> {
    if (isHalted(status)) await this.resume();
    else if (cannotReadOn(status)) await this.beginAgain(end - this.clock.monotonic());
    else if (failuresOf(status).length > 0) await this.restartFailed();
  }

  /** @returns null when there is no such connector */
  async status(): Promise<ConnectorStatus | null> {
    const answer = await this.request('GET', '/status');
    if (answer.status === 404) return null;
    if (!answer.ok) throw new Unavailable(`Connect answered ${answer.status} for the state of ${this.name}`);
    const status = statusOf(this.rest.parse(answer));
    if (status === null) throw new Unavailable(`What answers at ${this.rest.host} is not Kafka Connect.`);
    return status;
  }

  /**
   * Names of the settings that Connect has otherwise, or lacks, or has besides. Values are not told, because some are passwords.
   * @returns null when there is no such connector
   */
  async differingSettings(wanted: Readonly<Record<string, string>>): Promise<string[] | null> {
    const answer = await this.request('GET', '/config');
    if (answer.status === 404) return null;
    if (!answer.ok) throw new Unavailable(`Connect answered ${answer.status} for the settings of ${this.name}`);
    // Connect adds the name itself.
    const { name: _, ...there } = Object(this.rest.parse(answer)) as Record<string, unknown>;
    return [...new Set([...Object.keys(wanted), ...Object.keys(there)])].filter((name) => wanted[name] !== there[name]);
  }

  /**
   * How a connector that somebody else keeps differs from what is needed, one line each; what is a secret is not compared.
   */
  async differences(settings: Readonly<Record<string, string>>): Promise<string[]> {
    const answer = await this.request('GET', '/config');
    if (answer.status === 404) return [`connector ${this.name}: does not exist`];
    if (!answer.ok) throw new Unavailable(`Connect answered ${answer.status} for the settings of ${this.name}`);
    const there = Object(this.rest.parse(answer)) as Record<string, unknown>;
    const status = await this.status();
    const states = status === null ? [] : [...failuresOf(status), ...haltOf(status)];
    return [
      ...Object.entries(settings)
        .filter(([name, value]) => !isSecret(name) && name !== SERVER_ID && there[name] !== value)
        .map(([name, value]) => `${name} is ${shortOf(there[name])}, needs ${shortOf(value)}`),
      ...states,
    ].map((line) => `connector ${this.name}: ${line}`);
  }

  /** Restarts the connector and its tasks where they have failed. While Connect rebalances nothing happens. */
  async restartFailed(): Promise<void> {
    await this.restart('/restart?includeTasks=true&onlyFailed=true');
  }

  /** Restarts the connector and all its tasks, although Connect takes them for running. While Connect rebalances nothing happens. */
  async restartAll(): Promise<void> {
    await this.restart('/restart?includeTasks=true&onlyFailed=false');
  }

  /** Undoes a pause or a stop. */
  async resume(): Promise<void> {
    await this.order('PUT', '/resume', 'be resumed');
  }

  /**
   * Forgets where it was in the binlog and begins at the present. What happened in between the spouts find by reconciling,
   * so this costs seconds of lateness and no message. Connect forgets only while the connector is stopped, so that is marked
   * before: a connector that whoever stopped it could not resume is told from one that a person has stopped.
   */
  async beginAgain(limitMs: number): Promise<void> {
    const end = this.clock.monotonic() + limitMs;
    await this.mark('true');
    await this.order('PUT', '/stop', 'stop');
    try {
      for (;;) {
        // Connect refuses to forget while the task is still stopping.
        const isLast = this.clock.monotonic() >= end;
        const answer = await this.requestUnless(isLast, 'DELETE', '/offsets');
        if (answer?.ok) return;
        if (answer !== null && isLast) {
          const { status, text } = answer;
          throw new Unavailable(`Connect did not forget the offsets of ${this.name} (${status}): ${messageOf(text)}`);
        }
        await this.clock.sleep(RETRY_MS);
      }
    } finally {
      await this.untilResumed(end + RESUME_LIMIT_MS);
      await this.mark(null);
    }
  }

  /** Whether somebody has begun to `beginAgain` and not ended it. They may be about to. */
  async beginsAgain(): Promise<boolean> {
    const answer = await this.request('GET', '/config');
    if (answer.status === 404) return false;
    if (!answer.ok) throw new Unavailable(`Connect answered ${answer.status} for the settings of ${this.name}`);
    return BEGINS_AGAIN in (Object(this.rest.parse(answer)) as object);
  }

  /** Removes the connector and waits until it is gone; nothing happens when there is none. */
  async remove(limitMs: number): Promise<void> {
    const end = this.clock.monotonic() + limitMs;
    for (;;) {
      const isLast = this.clock.monotonic() >= end;
      const answer = await this.requestUnless(isLast, 'DELETE', '');
      // Its task may still be stopping after the answer: only a connector that is unknown is gone.
      if (answer?.status === 404) return;
      if (answer !== null && ((answer.status >= 300 && !isPassing(answer.status)) || isLast)) {
        throw new Unavailable(`Connect answered ${answer.status} to the removal of ${this.name}`);
      }
      await this.clock.sleep(RETRY_MS);
    }
  }

  /** What we have stopped nobody else would resume. Its state decides: an order that was taken may not have been followed yet. */
  private async untilResumed(end: number): Promise<void> {
    for (;;) {
      const isLast = this.clock.monotonic() >= end;
      const answer = await this.requestUnless(isLast, 'PUT', '/resume');
      if (answer?.ok && !(await this.isStopped(isLast))) return;
      if (answer !== null && (isLast || (!answer.ok && !isPassing(answer.status)))) {
        throw new Unavailable(`Connect answered ${answer.status} when ${this.name} was to be resumed`);
      }
      await this.clock.sleep(RETRY_MS);
    }
  }

  /** @param isLast throws when Connect does not answer; otherwise it may be stopped */
  private async isStopped(isLast: boolean): Promise<boolean> {
    const answer = await this.requestUnless(isLast, 'GET', '/status');
    if (answer?.status === 404) return false;
    return !answer?.ok || statusOf(this.rest.parse(answer))?.state === 'STOPPED';
  }

  /** @param value null takes the mark away */
  private async mark(value: 'true' | null): Promise<void> {
    const end = this.clock.monotonic() + RESUME_LIMIT_MS;
    for (;;) {
      const isLast = this.clock.monotonic() >= end;
      const answer = await this.requestUnless(isLast, 'PATCH', '/config', { [BEGINS_AGAIN]: value });
      if (answer !== null && (answer.ok || CANNOT_MARK.has(answer.status))) return;
      if (answer !== null && (isLast || !isPassing(answer.status))) {
        throw new Unavailable(`Connect answered ${answer.status} when ${this.name} was to be marked`);
      }
      await this.clock.sleep(RETRY_MS);
    }
  }

  private async restart(path: string): Promise<void> {
    const response = await this.request('POST', path);
    if (!response.ok && !isPassing(response.status) && response.status !== 404) {
      throw new Unavailable(`Connect answered ${response.status} to the restart of ${this.name}`);
    }
  }

  /** @returns false when we may not do it */
  private async untilAccepted(settings: Readonly<Record<string, string>>, end: number): Promise<boolean> {
    for (;;) {
      const answer = await this.requestUnless(this.clock.monotonic() >= end, 'PUT', '/config', settings);
      if (answer === null) {
        await this.clock.sleep(RETRY_MS);
        continue;
      }
      const { ok, status, text } = answer;
      if (ok) return true;
      if (NOT_ALLOWED.has(status)) return false;
      const reason = `Connect refused the connector ${this.name} (${status}): ${withoutSecrets(messageOf(text), settings)}`;
      if (!isPassing(status)) throw new UserError(reason);
      if (this.clock.monotonic() >= end) throw new Unavailable(reason);
      await this.clock.sleep(RETRY_MS);
    }
  }

  private async order(method: string, path: string, what: string): Promise<void> {
    const { ok, status } = await this.request(method, path);
    if (!ok && !isPassing(status)) {
      throw new Unavailable(`Connect answered ${status} when ${this.name} was to ${what}`);
    }
  }

  /**
   * Null when nobody answered, and it is not the last try: the worker that was asked may die with the answer, and another one
   * answers the next time.
   */
  private requestUnless(isLast: boolean, method: string, path: string, body?: unknown): Promise<ConnectAnswer | null> {
    return this.request(method, path, body).catch((error: unknown) => {
      if (!(error instanceof Unavailable) || isLast) throw error;
      return null;
    });
  }

  private request(method: string, path: string, body?: unknown): Promise<ConnectAnswer> {
    return this.rest.request(method, `${this.path}${path}`, body);
  }
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
  const secrets = Object.entries(settings).flatMap(([name, value]) => (isSecret(name) && value !== '' ? [value] : []));
  return secrets.reduce((left, secret) => left.replaceAll(secret, '***'), text);
}

/** A certificate has many lines. */
function shortOf(value: unknown): string {
  return typeof value === 'string' ? (value.split('\n', 1)[0] as string) : 'not set';
}

/** Whoever keeps a connector may have ids of replicas of their own. */
const SERVER_ID = 'database.server.id';

function isSecret(name: string): boolean {
  return /password$|jaas\.config$|keystore\.key$/.test(name);
}
