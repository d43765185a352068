import { UserError } from '../../../topology/core/errors';
import { setApartFromLost } from '../schema/restored';
import { NOW_MS, text } from '../sql/literals';
import type { Pool } from '../sql/pool';
import type { Sql } from '../sql/sql';

/** Which deployment the database belongs to. */
export interface DeploymentIdentity {
  /** Random, 32 hex digits: a part of every idempotency key. Another one is drawn when the deployment is joined for the first time. */
  readonly id: string;
  /** Null until a worker or `provision` has come for the first time. */
  readonly kafkaCluster: string | null;
  readonly namespace: string | null;
}

/**
 * A database that was restored in place of one that is gone keeps its id: providers then recognise what was sent after the
 * backup. What is planned from now on is set apart from what was lost, which takes a user who may alter tables. A copy
 * gets a new id, because two deployments with one id would send different messages under one key, and a provider would
 * drop the second.
 */
export type AdoptOptions = { readonly restored: false } | { readonly restored: true; readonly adminUrl: string };

/** @throws UserError when the schema has no identity yet */
export function readDeployment(pool: Pool): Promise<DeploymentIdentity> {
  return pool.use((sql) => read(sql));
}

/**
 * Makes sure that this Kafka and namespace are those of the database, before anything is sent. The first to come is
 * written down, and draws the id that counts: a database that was migrated and then cloned has one with its clones, and nothing
 * was sent under that.
 * @throws UserError when the database belongs to others: it is a copy or was restored, and sends nothing until somebody
 * has run `downspout adopt`
 */
export async function joinDeployment(pool: Pool, kafkaCluster: string, namespace: string): Promise<DeploymentIdentity> {
  const found = await readDeployment(pool);
  if (isOf(found, kafkaCluster, namespace)) return found;
  if (found.kafkaCluster === null) {
    await pool.run(
      `UPDATE deployment SET id=RANDOM_BYTES(16), kafka_cluster=${text(kafkaCluster)}, namespace=${text(namespace)} WHERE kafka_cluster IS NULL`,
    );
    const joined = await readDeployment(pool);
    if (isOf(joined, kafkaCluster, namespace)) return joined;
  }
  const { kafkaCluster: itsCluster, namespace: itsNamespace } = await readDeployment(pool);
  throw new UserError(
    `This database belongs to Kafka cluster ${itsCluster} with namespace "${itsNamespace}", and this is Kafka cluster ${kafkaCluster} with namespace "${namespace}". ` +
      'It is a copy, or it was restored elsewhere; nothing is sent from it. If it is to send from here, run `downspout adopt`.',
  );
}

/** Gives the database to this Kafka and namespace: from now on workers there send its messages. */
export async function adoptDeployment(
  pool: Pool,
  kafkaCluster: string,
  namespace: string,
  options: AdoptOptions,
): Promise<DeploymentIdentity> {
  // First, because workers start once the database is adopted.
  if (options.restored) await setApartFromLost(options.adminUrl);
  return pool.transaction(async (sql) => {
    await sql.run(
      `UPDATE deployment SET kafka_cluster=${text(kafkaCluster)}, namespace=${text(namespace)}, adopted_at=${NOW_MS}` +
        (options.restored ? '' : ', id=RANDOM_BYTES(16)'),
    );
    // What a copy's messages have made ready belongs to the messages of which they are copies.
    if (!options.restored) await sql.run('DELETE FROM kept_ids');
    return read(sql);
  });
}

async function read(sql: Sql): Promise<DeploymentIdentity> {
  const [row] = await sql.rows<[Buffer, string | null, string | null]>(
    'SELECT id, kafka_cluster, namespace FROM deployment',
  );
  if (row === undefined) throw new UserError('The table deployment is empty: run `downspout migrate`.');
  const [id, kafkaCluster, namespace] = row;
  return { id: id.toString('hex'), kafkaCluster, namespace };
}

function isOf(one: DeploymentIdentity, kafkaCluster: string, namespace: string): boolean {
  return one.kafkaCluster === kafkaCluster && one.namespace === namespace;
}
