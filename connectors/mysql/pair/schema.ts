/** The schema of what two masters know of each other. It is made on the first and copied to the other with all data. */
export const SCHEMA = 'downspout_pair';
/** Held while somebody decides which master is the active one. */
export const LOCK = 'downspout_pair';
/** The user with which HAProxy reads the role. It has no password and no other right. */
const CHECK_USER = "'downspout_haproxy'@'%'";
export const REPLICATION_USER = 'downspout_replication';
/**
 * A passive master may take over by itself if it heard of the active one within this time. After a longer silence it may
 * lack too much of what the active one acknowledged meanwhile, so a person decides.
 */
const HEARD_WITHIN_SECONDS = 60;
/** At a take-over, what was received must be applied within this time. */
const APPLY_SECONDS = 5;

/**
 * Statements that make the schema. They are not written to the binlog, and may be repeated.
 *
 * - `terms`: a row for every time that a master became the active one. The latest names the master whose data counts.
 * - `may_take_over()`: the server is read-only and open, and the active one has fallen silent a short while ago.
 * - `role()`: what HAProxy reads. It leads to the `active` one; if there is none, to the `heir`.
 * - `take_over()`: makes the heir the active one; on any other server it does nothing. It stops receiving from the other
 *   one, applies what had arrived, begins the term and allows writing, in this order. A new connection of a worker, client
 *   or the CLI calls it when it finds the server read-only, so it happens only where HAProxy leads.
 */
export const statements: readonly string[] = [
  `CREATE SCHEMA IF NOT EXISTS ${SCHEMA} DEFAULT CHARACTER SET utf8mb4`,
  `CREATE TABLE IF NOT EXISTS ${SCHEMA}.terms (
     term INT UNSIGNED PRIMARY KEY, server_uuid CHAR(36) NOT NULL,
     begun TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6))`,
  `CREATE FUNCTION IF NOT EXISTS ${SCHEMA}.may_take_over() RETURNS BOOLEAN NOT DETERMINISTIC READS SQL DATA
   RETURN @@GLOBAL.read_only AND NOT @@GLOBAL.offline_mode AND EXISTS (
     SELECT 1 FROM performance_schema.replication_connection_status
     WHERE service_state <> 'ON'
     AND GREATEST(last_heartbeat_timestamp, last_queued_transaction_end_queue_timestamp) > NOW(6) - INTERVAL ${HEARD_WITHIN_SECONDS} SECOND)`,
  `CREATE FUNCTION IF NOT EXISTS ${SCHEMA}.role() RETURNS VARCHAR(16) NOT DETERMINISTIC READS SQL DATA
   RETURN CASE WHEN NOT @@GLOBAL.read_only THEN 'active' WHEN ${SCHEMA}.may_take_over() THEN 'heir' ELSE 'passive' END`,
  `CREATE PROCEDURE IF NOT EXISTS ${SCHEMA}.take_over()
   BEGIN
     DECLARE received LONGTEXT;
     IF GET_LOCK('${LOCK}', 10) = 1 THEN
       IF ${SCHEMA}.may_take_over() THEN
         STOP REPLICA IO_THREAD;
         SELECT received_transaction_set INTO received FROM performance_schema.replication_connection_status;
         IF WAIT_FOR_EXECUTED_GTID_SET(received, ${APPLY_SECONDS}) = 0 THEN
           STOP REPLICA;
           SET GLOBAL super_read_only = OFF;
           ${beginTerm()};
           SET GLOBAL read_only = OFF;
         ELSE
           START REPLICA IO_THREAD;
         END IF;
       END IF;
       DO RELEASE_LOCK('${LOCK}');
     END IF;
   END`,
  `CREATE USER IF NOT EXISTS ${CHECK_USER} IDENTIFIED BY ''`,
  `GRANT EXECUTE ON FUNCTION ${SCHEMA}.role TO ${CHECK_USER}`,
];

/** The statement with which a server begins a term; it goes to the binlog. */
export function beginTerm(): string {
  return `INSERT INTO ${SCHEMA}.terms (term, server_uuid) SELECT COALESCE(MAX(term), 0) + 1, @@server_uuid FROM ${SCHEMA}.terms`;
}
