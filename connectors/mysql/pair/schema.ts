/** What the two masters of a pair know of each other; made on the first, and copied to the other with everything else. */
export const SCHEMA = 'downspout_pair';
/** Held while somebody decides which master is the active one. */
export const LOCK = 'downspout_pair';
/** HAProxy's: asks for the role. It has no password and no other right. */
const CHECK_USER = "'downspout_haproxy'@'%'";
export const REPLICATION_USER = 'downspout_replication';
/**
 * Seconds for which a passive master that hears nothing of the active one may still take over by itself. After that it may
 * lack too much of what was acknowledged meanwhile, and a person decides.
 */
const FRESH = 60;
/** Seconds to apply what was received, at a take-over. */
const APPLY = 5;

/**
 * Statements that make the schema, not to be written to the binlog. They may be repeated.
 *
 * - `terms`: every time that a master became the active one. The latest names the one whose data counts.
 * - `may_take_over()`: read-only, open, and the active one has fallen silent a short while ago.
 * - `role()`: what HAProxy asks. It leads to the `active` one; where there is none, to the `heir`.
 * - `take_over()`: makes the heir the active one and does nothing anywhere else. In this order: nothing of the other one
 *   arrives any more, what had arrived is applied, the term begins, everybody may write. Every new connection of workers,
 *   client and CLI calls it where it finds the server read-only: so it happens where HAProxy leads and nowhere else.
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
     AND GREATEST(last_heartbeat_timestamp, last_queued_transaction_end_queue_timestamp) > NOW(6) - INTERVAL ${FRESH} SECOND)`,
  `CREATE FUNCTION IF NOT EXISTS ${SCHEMA}.role() RETURNS VARCHAR(16) NOT DETERMINISTIC READS SQL DATA
   RETURN CASE WHEN NOT @@GLOBAL.read_only THEN 'active' WHEN ${SCHEMA}.may_take_over() THEN 'heir' ELSE 'passive' END`,
  `CREATE PROCEDURE IF NOT EXISTS ${SCHEMA}.take_over()
   BEGIN
     DECLARE received LONGTEXT;
     IF GET_LOCK('${LOCK}', 10) = 1 THEN
       IF ${SCHEMA}.may_take_over() THEN
         STOP REPLICA IO_THREAD;
         SELECT received_transaction_set INTO received FROM performance_schema.replication_connection_status;
         IF WAIT_FOR_EXECUTED_GTID_SET(received, ${APPLY}) = 0 THEN
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
