import { AccountTurns } from '../../../topology/core/account-turns';
import type { Clock } from '../../../topology/core/clock';
import { Unavailable } from '../../../topology/core/errors';
import { hex, integer, list, NOW_MS, text } from '../sql/literals';
import type { Pool } from '../sql/pool';

/** A message that was accepted at some time woke so long before it at most, unless its account had to wait. */
const WOKE_BEFORE_MS = 86_400_000;
/** More rows than can be read meanwhile are not read: whoever asks does so again. */
const TIMEOUT_MS = 2_000;
/** Questions that wait, the one under way included. In all there are no more than requests that the bolts may have in flight. */
const MAX_WAITING_OF_ACCOUNT = 4;
/** Of a question that reads many rows: its account's messages are many, or others of its shard are. */
const SLOW_MS = 200;

interface Asked {
  readonly channel: string;
  readonly account: string;
  readonly id: number;
  readonly receipts: readonly string[];
  /** Epoch milliseconds. */
  readonly notBefore: number;
}

/**
 * Which receipts other messages have. No index has receipts, so the newest rows of the shard are read.
 *
 * 1. *One question at a time*: claims and write-backs use the same connections, and a shard may have many rows.
 * 2. *Accounts take turns*: questions of some refuse nobody else's, and those that take long delay the others little.
 */
export class Receipts {
  private readonly turns: AccountTurns;

  /** @param session of this worker, 32 hex digits */
  constructor(
    private readonly pool: Pick<Pool, 'rows'>,
    private readonly session: string,
    clock: Pick<Clock, 'monotonic'>,
  ) {
    this.turns = new AccountTurns({ clock, mostOfAccount: MAX_WAITING_OF_ACCOUNT, slowMs: SLOW_MS, full });
  }

  /**
   * Those of the account's other messages.
   * @returns undefined while another worker has one of them claimed: it may have a receipt that is not written
   * @throws Unavailable
   */
  ofOthers(asked: Asked): Promise<ReadonlySet<string> | undefined> {
    return this.turns.run(`${asked.channel}:${asked.account}`, () => this.read(asked));
  }

  /** One statement, so that a row is seen as being sent or with its receipt, and never as neither. */
  private async read({ channel, account, id, receipts, notBefore }: Asked): Promise<ReadonlySet<string> | undefined> {
    const others =
      `channel=${text(channel)} AND shard=CRC32(${text(account)}) % 256 ` +
      `AND account=${text(account)} AND id <> ${integer(id)} `;
    const rows = await this.pool.rows<readonly [string | null]>(
      `(SELECT /*+ MAX_EXECUTION_TIME(${TIMEOUT_MS}) */ receipt FROM scheduled_messages FORCE INDEX (open_by_wake) ` +
        `WHERE open IS NULL AND ${others}` +
        `AND wake_at >= ${integer(Math.floor(notBefore) - WOKE_BEFORE_MS)} AND receipt IN ${list(receipts, text)}) ` +
        'UNION ALL (SELECT NULL FROM scheduled_messages FORCE INDEX (open_by_wake) ' +
        `WHERE open=1 AND ${others}` +
        `AND wake_at <= ${NOW_MS} AND state='sending' AND claim <> ${hex(this.session)} LIMIT 1)`,
    );
    const found = rows.flatMap(([receipt]) => receipt ?? []);
    return found.length < rows.length ? undefined : new Set(found);
  }
}

function full(): Error {
  return new Unavailable('too many messages of the account in doubt wait for it');
}
