import { describeHolder, readDeployLock } from '../connectors/mysql/operators/deploy-lock';
import { binlogFaults } from '../connectors/mysql/schema/binlog-settings';
import { migrate } from '../connectors/mysql/schema/migrate';
import { Pool } from '../connectors/mysql/sql/pool';
import { joinDeployment } from '../connectors/mysql/workers/deployment';
import type { Clock } from '../topology/core/clock';
import { UserError } from '../topology/core/errors';
import { operatorUrl } from '../topology/settings/connections';
import type { Environment } from '../topology/settings/environment';
import type { TopologySettings } from '../topology/settings/topology-settings';
import { counted } from './console/units';
import { withKafka } from './inspect/kafka';
import { Capture } from './provisioning/capture';
import { seeCapture } from './provisioning/probe';
import { provisionTopics } from './provisioning/topics';
import { checkDatabase, madeUsers } from './provisioning/users';

/** One thing that was made ready. */
export type ProvisionReport = (step: 'database' | 'topics' | 'connector' | 'changes', text: string) => void;

export interface ProvisionOptions {
  /** Changes nothing: compares what is there with what is needed. */
  readonly dryRun?: boolean;
  /** Asked before each change, by who has the right to deploy. @throws when it is not to be made any more */
  readonly mayGoOn?: () => Promise<void>;
}

/** What was looked at, and what of it is not as it is needed: one line each, with what to do. */
interface Outcome {
  readonly text: string;
  readonly faults: readonly string[];
}

/**
 * Makes a deployment ready on parts that run: schema and users, topics, the connector; and sees a change come all the way
 * through. Repeating it changes nothing that is as it should be.
 *
 * What it may not make (there is no ADMIN_DATABASE_URL, Kafka or Connect does not allow it) others have to have made: that is
 * compared with what is needed instead.
 * @throws UserError naming everything that is not as it is needed, and what to do about it, or who is deploying
 * @throws Unavailable
 */
export async function provision(
  environment: Environment,
  settings: TopologySettings,
  clock: Clock,
  report: ProvisionReport,
  { dryRun = false, mayGoOn: check }: ProvisionOptions = {},
): Promise<void> {
  const mayGoOn = check ?? (() => Promise.resolve());
  await mayGoOn();
  const mayChange = !dryRun;
  const capture = new Capture(environment, settings, clock);
  const [database, topics] = await Promise.all([
    provisionDatabase(environment, mayChange),
    provisionTopics(environment, settings, { clock, mayChange }),
  ]);
  refuse([...database.faults, ...topics.faults, ...(dryRun ? await capture.check() : [])]);
  report('database', database.text);
  report('topics', topics.text);
  if (dryRun) return;
  await mayGoOn();
  await join(environment, clock, check === undefined);
  await mayGoOn();
  const connector = await capture.provision();
  refuse(connector.faults);
  report('connector', connector.text);
  report('changes', await seeCapture(environment, clock, () => capture.standing()));
}

function refuse(faults: readonly string[]): void {
  if (faults.length === 0) return;
  throw new UserError(
    `Not as it is needed, and not to be changed from here (\`downspout grants\` prints the rights of each role):\n  ${faults.join('\n  ')}`,
  );
}

/** Brings schema and users up to date as far as ADMIN_DATABASE_URL may, and compares the rest. */
async function provisionDatabase(environment: Environment, mayChange: boolean): Promise<Outcome> {
  const { ADMIN_DATABASE_URL: admin } = environment;
  let schema = 'the schema is up to date';
  if (admin !== undefined) {
    const statements = await migrate(admin, { dryRun: !mayChange });
    if (statements.length > 0)
      schema = mayChange ? 'the schema is there' : `${counted(statements.length, 'statement')} would run`;
    if (mayChange && (await madeUsers(admin, environment))) {
      return { text: `${schema}${statements.length > 0 ? ', and its users are' : ''}`, faults: [] };
    }
    // Users may have no rights on tables that are still to be made.
    if (!mayChange && statements.length > 0) return { text: schema, faults: [] };
  }
  const { faults, unknown } = await checkDatabase(environment);
  return {
    faults,
    text: [`${schema}; users and rights were compared`, ...unknown.map((one) => `not ${one}`)].join('; '),
  };
}

/**
 * Nothing is made ready for a database that belongs to another deployment, or whose binlog CDC cannot read.
 * @param isAlone without the right to deploy: while somebody has it, the connector is theirs
 */
async function join(environment: Environment, clock: Clock, isAlone: boolean): Promise<void> {
  const cluster = await withKafka(environment, (admin) => admin.clusterId());
  const pool = Pool.open(operatorUrl(environment), { clock, size: 1 });
  try {
    await joinDeployment(pool, cluster, environment.DOWNSPOUT_NAMESPACE);
    const deploying = isAlone ? await pool.use(readDeployLock) : null;
    if (deploying !== null) throw new UserError(`${describeHolder(deploying)}: run this again when that is done.`);
    const faults = await pool.use(binlogFaults);
    if (faults.length > 0) {
      throw new UserError(`CDC cannot work with the binlog settings of this MySQL server:\n  ${faults.join('\n  ')}`);
    }
  } finally {
    await pool.close();
  }
}
