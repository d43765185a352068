import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { AuditRow } from '../../connectors/mysql/audit/audit';
import { type Client, createClient } from '../../connectors/mysql/client/client';
import { listPlacements, placementName } from '../../connectors/mysql/operators/placements';
import { Pool } from '../../connectors/mysql/sql/pool';
import { runningWorkers } from '../../deploy/targets/local/host-state';
import { ownProgram } from '../../deploy/targets/local/program';
import { systemClock } from '../../topology/core/clock';
import { type Environment, required } from '../../topology/settings/environment';
import { packageVersion } from '../../topology/settings/package';
import { requestsOf } from '../faults/judge/content';
import type { Histories } from '../faults/judge/history';
import { judge } from '../faults/judge/judge';
import { tableHistory } from '../faults/judge/witnesses';
import { Clients } from '../faults/world/clients';
import { Receiver } from '../support/channels/receiver';
import { Random } from '../support/random';
import { type CliResult, runCli, variablesOf } from '../support/stack/cli';
import { runHere } from '../support/stack/cli-here';
import { deprovision } from '../support/stack/removal';
import { freshEnvironment } from '../support/stack/stack';
import { until } from '../support/until';

const SETTLING_MS = 120_000;
/** The migration that last changed `delivery_attempts`. Their numbers begin with 0, the ids of those that were done with 1. */
const OUTCOME_LATE = '0039';

/** What matters of a row of `audit --json`. */
export type AuditEntry = Pick<AuditRow, 'verb' | 'subject' | 'before' | 'after' | 'outcome'>;

/** Every row of `history --json`. */
export interface HistoryRow {
  readonly number: number;
  readonly outcome: string;
  readonly reason: string;
  readonly detail: string | null;
}

/** A deployment on the target `local`, made and rolled by the command alone, with load and a judge. */
export class Rolled {
  readonly clients: Clients;
  private readonly ending = new AbortController();
  private load: Promise<void> = Promise.resolve();

  private constructor(
    readonly environment: Environment,
    private readonly folder: string,
    readonly receiver: Receiver,
    private readonly client: Client,
    readonly sql: Pool,
  ) {
    this.clients = new Clients(client, receiver.url, environment.DOWNSPOUT_NAMESPACE, new Random(7));
  }

  /** Nothing is there yet, not even the database. */
  static async start(environment: Environment = withOperator(freshEnvironment())): Promise<Rolled> {
    const folder = mkdtempSync(join(tmpdir(), 'downspout-rolled-'));
    putOtherStack(folder);
    return new Rolled(
      environment,
      folder,
      await Receiver.start(),
      createClient(required(environment, 'DATABASE_URL')),
      Pool.open(required(environment, 'ADMIN_DATABASE_URL'), { clock: systemClock, size: 2, silenceSeconds: 600 }),
    );
  }

  /** Writes topology.yaml. @param components e.g. `'{ webhook: { replicas: 1 } }'` */
  topology(components: string): void {
    writeFileSync(this.file, `components: ${components}\n`);
  }

  cli(args: readonly string[]): Promise<CliResult> {
    return runCli(args, { environment: this.variables, cwd: this.folder });
  }

  /** The same where only the operators' and the application's users are given: neither the administrator's nor the workers'. */
  asOperator(args: readonly string[]): Promise<CliResult> {
    return runCli(args, { environment: { ...this.variables, ADMIN_DATABASE_URL: '', WORKER_DATABASE_URL: '' } });
  }

  /** `downspout deploy`, without watching canaries. */
  deploy(...more: string[]): Promise<CliResult> {
    return this.cli(['deploy', '--yes', '--state', this.state, '--pause', '0s', ...more]);
  }

  /**
   * Kills a deploy when it has reported a step, or has said in its transaction that the release is `live`. It cannot commit that,
   * because the row is locked.
   * @param args the command line, where it is not `deploy` as the other tests run it
   * @returns its exit code, null when it was killed
   */
  killAt(step: RegExp | 'live', args: readonly string[] = this.deployArguments()): Promise<number | null> {
    const isSaid = async () => {
      const [row] = await this.sql.rows<[number]>(
        "SELECT COUNT(*) FROM performance_schema.data_locks WHERE object_schema=DATABASE() AND object_name='releases' AND lock_status='WAITING'",
      );
      return row?.[0] !== 0;
    };
    return this.sql.transaction(async (sql) => {
      await sql.rows("SELECT number FROM releases WHERE outcome='deploying' FOR UPDATE");
      let saying: Promise<unknown> | undefined;
      const code = await this.begin(args, (line, child) => {
        if (step === 'live')
          saying ??= until('the release is said to be live', isSaid).then(() => child.kill('SIGKILL'));
        else if (step.test(line)) child.kill('SIGKILL');
      });
      await saying;
      return code;
    });
  }

  /**
   * Kills a deploy amid a migration: the last one of the ledger and those after it are made again, and it waits because somebody reads
   * the ledger.
   * @returns its exit code, null when it was killed
   */
  async killInMigration(): Promise<number | null> {
    const firstId = Number(OUTCOME_LATE) + 1;
    await this.sql.run(`DELETE FROM __drizzle_migrations WHERE id >= ${firstId}`);
    return this.sql.transaction(async (sql) => {
      await sql.rows('SELECT COUNT(*) FROM delivery_attempts');
      const child = this.spawn(this.deployArguments());
      const over = once(child, 'close') as Promise<[number | null]>;
      const waits = async () => {
        const [row] = await this.sql.rows<[number]>(
          "SELECT COUNT(*) FROM performance_schema.metadata_locks WHERE object_schema=DATABASE() AND object_name='delivery_attempts' AND lock_status='PENDING'",
        );
        return row?.[0] !== 0;
      };
      await until('the migration waits', waits);
      child.kill('SIGKILL');
      return (await over)[0];
    });
  }

  /** What the audit says of verbs that deploy, the oldest first. */
  async audited(...verbs: readonly string[]): Promise<AuditEntry[]> {
    const { stdout, stderr } = await this.looked(['audit', '--json', '--limit', '1000']);
    if (stdout === '') throw new Error(stderr);
    const rows = JSON.parse(stdout) as AuditEntry[];
    return rows
      .filter(({ verb }) => verbs.includes(verb))
      .map(({ verb, subject, before, after, outcome }) => ({ verb, subject, before, after, outcome }))
      .toReversed();
  }

  /** So that nobody waits for the lease of a deploy that was killed. */
  async forgetDeployer(): Promise<void> {
    await this.sql.run('DELETE FROM deploy_lock');
  }

  /** A command whose process the test may end. */
  begin(args: readonly string[], onLine: (line: string, child: ChildProcess) => void): Promise<number | null> {
    const child = this.spawn(args);
    let rest = '';
    child.stderr.on('data', (piece: Buffer) => {
      const lines = `${rest}${piece.toString()}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) onLine(line, child);
    });
    return new Promise((resolve) => {
      child.once('close', (code) => resolve(code));
    });
  }

  stopSupervisor(): Promise<CliResult> {
    return this.cli(['supervisor', '--stop', '--state', this.state]);
  }

  detachSupervisor(): Promise<CliResult> {
    return this.cli(['supervisor', '--detach', '--state', this.state]);
  }

  deployArguments(...more: string[]): string[] {
    return ['deploy', '--yes', '--state', this.state, '--pause', '0s', ...more];
  }

  async history(): Promise<HistoryRow[]> {
    const { stdout, stderr } = await this.looked(['history', '--json']);
    if (stdout === '') throw new Error(stderr);
    return (JSON.parse(stdout) as { releases: HistoryRow[] }).releases;
  }

  /** Processes of the workers, by component and replica: `webhook-1`. */
  pids(): ReadonlyMap<string, number> {
    return new Map(runningWorkers(this.state).map((one) => [placementName(one), one.pid]));
  }

  /** Workers that are alive, by component and replica: `webhook-1 of release 3`. */
  async running(): Promise<string[]> {
    const rows = await this.sql.rows<[string, number, number]>(
      "SELECT components->>'$[0]', replica, release_number FROM workers WHERE dead=0 AND lease_until > UNIX_TIMESTAMP() * 1000 ORDER BY 1, 2",
    );
    return rows.map(([component, replica, release]) => `${component}-${replica} of release ${release}`);
  }

  /** Workers that their supervisor says are ready: `webhook-1`. */
  async ready(): Promise<string[]> {
    const placements = await listPlacements(this.sql);
    return placements.filter(({ observed }) => observed?.state === 'ready').map(placementName);
  }

  /** Partitions of a component that some living worker owns. */
  async owned(component: string): Promise<number> {
    const rows = await this.sql.rows<[string | null]>(
      'SELECT report FROM workers WHERE dead=0 AND lease_until > UNIX_TIMESTAMP() * 1000',
    );
    const reports = rows.map(([report]) => JSON.parse(report ?? '{}') as { partitions?: Record<string, number[]> });
    return new Set(reports.flatMap(({ partitions }) => partitions?.[component] ?? [])).size;
  }

  /** Writes a release like the one that runs, with a component that no version can run. @returns its number */
  async unrunnable(): Promise<number> {
    const { insertId } = await this.sql.run(
      "INSERT INTO releases (specification, package_version, program, target, reason, who, host, created_at, outcome) SELECT JSON_SET(specification, '$.components.nosuch', JSON_OBJECT('replicas', 1)), " +
        "package_version, program, target, 'unrunnable', who, host, created_at, 'superseded' FROM releases WHERE outcome='live'",
    );
    return insertId;
  }

  /** Writes a release like the one that runs, whose workers cannot reach any receiver. @returns its number */
  async failing(): Promise<number> {
    const program = join(this.folder, 'failing', 'dist', 'deploy', 'cli', 'downspout.js');
    mkdirSync(dirname(program), { recursive: true });
    // Whoever would connect to the receiver connects to a port at which nothing listens.
    const port = Number(new URL(this.receiver.url).port);
    writeFileSync(
      program,
      `const { Socket } = require('node:net');
       const { connect } = Socket.prototype;
       Socket.prototype.connect = function (...args) {
         const options = [args[0]].flat()[0];
         if (Number(options.port) === ${port}) options.port = 1;
         return connect.apply(this, args);
       };
       require(${JSON.stringify(ownProgram())});`,
    );
    writeFileSync(join(this.folder, 'failing', 'package.json'), JSON.stringify({ version: packageVersion() }));
    const { insertId } = await this.sql.run(
      'INSERT INTO releases (specification, package_version, program, target, reason, who, host, created_at, outcome) ' +
        `SELECT JSON_SET(specification, '$.components.webhook.timeout', '7s'), package_version, ${JSON.stringify(program)}, target, ` +
        "'failing', who, host, created_at, 'superseded' FROM releases WHERE outcome='live'",
    );
    return insertId;
  }

  /**
   * First attempts of accounts that started before one that wakes earlier, by messages that were never edited and planned well
   * ahead. Whoever starts them: workers are replaced meanwhile.
   */
  async overtaken(): Promise<string[]> {
    const rows = await this.sql.rows<[string, number, number, number]>(
      'SELECT m.account, m.id, m.wake_at, a.started_at FROM scheduled_messages m JOIN delivery_attempts a ON a.message_id = m.id ' +
        "WHERE m.version = 1 AND m.state = 'delivered' AND a.version = 1 AND m.wake_at > UNIX_TIMESTAMP(m.created_at) * 1000 + 3000 ORDER BY m.account, m.wake_at, m.id",
    );
    return rows.flatMap(([account, id, wakeAt, startedAt], index) => {
      const before = rows[index - 1];
      if (before === undefined || before[0] !== account || before[3] <= startedAt) return [];
      return [
        `${account}: ${id} (wakes ${wakeAt}) started ${before[3] - startedAt} ms before ${before[1]} (wakes ${before[2]})`,
      ];
    });
  }

  /** @param rate messages per second, some of them edited or canceled */
  beginLoad(rate: number): void {
    this.load = this.clients.steady(rate, this.ending.signal);
  }

  /** Ends the load and waits until nothing is open. @returns what is broken, one line each */
  async verdict(): Promise<string[]> {
    this.ending.abort();
    await this.load;
    const isClosed = async () => {
      const [row] = await this.sql.rows<[number]>('SELECT COUNT(*) FROM scheduled_messages WHERE open = 1');
      return row?.[0] === 0;
    };
    await until('no row is open', isClosed, SETTLING_MS);
    return judge(await this.histories()).map(({ invariant, id, reason }) => `${invariant}: ${id ?? ''} ${reason}`);
  }

  async close(): Promise<void> {
    this.ending.abort();
    await this.load;
    await this.stopSupervisor();
    await Promise.all([this.client.close(), this.sql.close(), this.receiver.close()]);
    await deprovision(this.environment);
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async histories(): Promise<Histories> {
    const keys = await this.sql.rows<[string, number]>(
      'SELECT dedupe_key, id FROM scheduled_messages WHERE dedupe_key IS NOT NULL',
    );
    const ids = new Map(keys);
    return {
      clients: this.clients.recorder.historyWith((key) => ids.get(key)),
      requests: requestsOf(this.receiver.journal),
      table: await tableHistory(this.sql),
      classes: { webhook: 'idempotent' },
    };
  }

  /** As `cli`, for verbs that only look: in this process. */
  private looked(args: readonly string[]): Promise<CliResult> {
    return runHere(args, this.variables, { cwd: this.folder });
  }

  private spawn(args: readonly string[]) {
    return spawn(process.execPath, [ownProgram(), ...args], {
      cwd: this.folder,
      env: { PATH: process.env['PATH'], ...this.variables },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  }

  private get variables(): Record<string, string> {
    return {
      ...variablesOf(this.environment),
      DOWNSPOUT_TOPOLOGY: this.file,
      WEBHOOK_ALLOW_PRIVATE_ADDRESSES: 'true',
    };
  }

  private get file(): string {
    return join(this.folder, 'topology.yaml');
  }

  private get state(): string {
    const folder = join(this.folder, 'host');
    mkdirSync(folder, { recursive: true });
    return folder;
  }
}

/** With a user of the operators, who has no right to change messages as workers do. */
function withOperator(environment: Environment): Environment {
  const url = new URL(required(environment, 'WORKER_DATABASE_URL'));
  url.username = 'downspout_deployer';
  url.password = 'hush-deployer';
  return { ...environment, OPERATOR_DATABASE_URL: url.href };
}

/** A local stack that is not the one that the environment names: nothing may be taken from there instead. */
function putOtherStack(folder: string): void {
  const stack = join(folder, '.downspout');
  mkdirSync(stack);
  writeFileSync(join(stack, 'stack.json'), '{}');
  const names = ['DATABASE_URL', 'WORKER_DATABASE_URL', 'ADMIN_DATABASE_URL', 'CDC_DATABASE_URL'];
  const urls = names.map((name) => [name, 'mysql://nobody:hush@127.0.0.1:1/downspout']);
  writeFileSync(join(stack, 'env.json'), JSON.stringify({ ...Object.fromEntries(urls), KAFKA_BROKERS: '127.0.0.1:1' }));
}
