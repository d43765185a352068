import { hash } from 'node:crypto';
import { HeldRows } from '../../bolts/claim/held-rows';
import { PausedRows } from '../../bolts/claim/paused-rows';
import type { HeldRow } from '../../bolts/held-row';
import type { AttemptResult } from '../../bolts/send-rows';
import { Frontier } from '../../spouts/memory/frontier';
import type { OpenRow } from '../../spouts/open-rows';
import type { DatabaseClock } from '../../topology/core/clock';
import { endOf } from '../../topology/core/lateness';
import type { MemoryDatabase } from '../support/mysql/memory-database';
import type { Sabotage } from './world/sabotage';

/** Deliberately broken variants of the design, one mechanism each. */

/** The claim does not compare the version. `updated_at` still changes with every change. */
export const claimWithoutVersion: Sabotage = {
  sendRows: (rows, database) => ({
    ...rows,
    claim: (session, batch, ahead) =>
      rows.claim(
        session,
        batch.map((row) => ({ ...row, version: database.rows.get(row.id)?.version ?? row.version })),
        ahead,
      ),
  }),
};

/** The claim does not compare `updated_at`. */
export const claimWithoutUpdatedAt: Sabotage = {
  sendRows: (rows, database) => ({
    ...rows,
    claim: (session, batch, ahead) =>
      rows.claim(
        session,
        batch.map((row) => ({ ...row, updatedAt: database.rows.get(row.id)?.updatedAt ?? row.updatedAt })),
        ahead,
      ),
  }),
};

/** The claim compares neither: a waiting row is claimed, even when its plan has changed. */
export const claimOfAnyPlan: Sabotage = {
  sendRows: (rows, database) => ({
    ...rows,
    claim: (session, batch, ahead) =>
      rows.claim(
        session,
        batch.map((row) => {
          const { version, updatedAt } = database.rows.get(row.id) ?? row;
          return { ...row, version, updatedAt };
        }),
        ahead,
      ),
  }),
};

/** No request checks the lease. */
export const noLeaseCheck: Sabotage = { lease: ({ session }) => ({ session, holds: () => true }) };

/** The write-back names neither its session nor its version: it settles the row as it finds it. */
export const writeBackOfAnyClaim: Sabotage = {
  sendRows: (rows, database) => ({
    ...rows,
    writeBack: async (session, results) => {
      const bad = [];
      for (const result of results) {
        const row = database.rows.get(result.id);
        const { claim, version } = row ?? { claim: null, version: result.version };
        const isAny = row?.state === 'sending' && claim !== null;
        bad.push(...(await rows.writeBack(isAny ? claim : session, [isAny ? { ...result, version } : result])));
      }
      return bad;
    },
  }),
};

/** The write-back does not name its session, only the version. */
export const writeBackWithoutSession: Sabotage = {
  sendRows: (rows, database) => ({
    ...rows,
    writeBack: async (session, results) => {
      const bad = [];
      for (const result of results) {
        bad.push(...(await rows.writeBack(database.rows.get(result.id)?.claim ?? session, [result])));
      }
      return bad;
    },
  }),
};

/** A tuple's offset may be committed as soon as the tuple comes. */
export const ackBeforeClaim: Sabotage = {
  bolt: (bolt) => ({
    open: () => bolt.open(),
    execute: (deliveries) => {
      bolt.execute(deliveries);
      for (const { ack } of deliveries) ack();
    },
    hasRoom: () => bolt.hasRoom(),
    revoked: (partitions) => bolt.revoked(partitions),
    drain: (onBegun) => bolt.drain(onBegun),
    close: () => bolt.close(),
    gauges: () => bolt.gauges(),
  }),
};

/** The bolt takes all messages for those of one account to one origin. */
export const oneLane: Sabotage = {
  sendRows: (rows) => ({
    ...rows,
    read: async (...query) => (await rows.read(...query)).map((row) => ({ ...row, account: 'one' })),
  }),
  channel: (channel) => ({ ...channel, originOf: () => 'https://one' }),
};

/** The bolt holds what comes, however large it is. */
export const unboundedBytes: Sabotage = {
  boltSettings: (settings) => ({ ...settings, maxHeldBytes: Number.POSITIVE_INFINITY }),
};

/** The tuple of a row that a transaction locks is never acked. */
export const lockedTupleHeld: Sabotage = {
  bolt: (bolt, database) => ({
    open: () => bolt.open(),
    execute: (deliveries) =>
      bolt.execute(
        deliveries.map((delivery) => ({
          ...delivery,
          ack: () => {
            if (!database.locked.has(delivery.tuple.value.id)) delivery.ack();
          },
        })),
      ),
    hasRoom: () => bolt.hasRoom(),
    revoked: (partitions) => bolt.revoked(partitions),
    drain: (onBegun) => bolt.drain(onBegun),
    close: () => bolt.close(),
    gauges: () => bolt.gauges(),
  }),
};

/** A recovered row is not in doubt. */
export const recoveryWithoutDoubt: Sabotage = {
  openRows: (rows, database) => ({
    ...rows,
    recover: async (dead, delay) => {
      const doubts = new Map(dead.map(({ id }) => [id, database.rows.get(id)?.inDoubt ?? false]));
      const recovery = await rows.recover(dead, delay);
      for (const [id, inDoubt] of doubts) {
        const row = database.rows.get(id);
        if (row?.state === 'scheduled') row.inDoubt = inDoubt;
      }
      return recovery;
    },
  }),
};

/** Rows of the dead are put back whatever the ledger says of them. */
export const recoveryWithoutLedger: Sabotage = {
  openRows: (rows, database) => {
    database.recoversByLedger = false;
    return rows;
  },
};

/** What the ledger has is taken for written. */
export const settleForgotten: Sabotage = {
  sendRows: (rows, database) => ({
    ...rows,
    writeBack: (session, results) => {
      const known = new Set(database.ledger.map((one) => `${one.id} ${one.version} ${one.session}`));
      return rows.writeBack(
        session,
        results.filter(({ id, version }) => !known.has(`${id} ${version} ${session}`)),
      );
    },
  }),
};

/** A session whose lease has run out counts as dead, and comes back to life with its next renewal. */
export const deadForAWhile: Sabotage = {
  openRows: (rows, database) => ({
    ...rows,
    markDead: async (leases) => {
      const dead = await rows.markDead(leases);
      for (const session of dead) {
        const worker = database.workers.get(session);
        if (worker !== undefined) worker.dead = false;
      }
      return dead;
    },
  }),
};

/** The middle of a round trip is taken for the moment at which the database read its clock. */
export const midpointClock: Sabotage = {
  databaseClock: (clock) => {
    const middle = () => {
      const [earliest, latest] = [clock.earliest(), clock.latest()];
      return Number.isFinite(earliest) && Number.isFinite(latest) ? (earliest + latest) / 2 : earliest;
    };
    const known: DatabaseClock = { earliest: middle, latest: () => clock.latest() };
    return known;
  },
};

/** A row in doubt is looked up or sent again at once, while its request may still be accepted. */
export const hastyLookup: Sabotage = {
  recoverDelay: 0,
  channel: (channel) => ({ ...channel, acceptedWithin: 0 }),
};

/** Spouts know a shorter time-out than bolts have, so that they give a message to another bolt too early. */
export const shorterTimeout: Sabotage = { recoverDelay: 3_000 };

/** A key is taken for one that the provider never forgets. */
export const keyForEver: Sabotage = {
  channel: (channel) => ({ ...channel, keyLifetimeMs: Number.POSITIVE_INFINITY }),
};

/** A channel publishes before its ids are kept: whoever finds the message in doubt does not know them. */
export const publishedUnkept: Sabotage = {
  sendRows: (rows) => ({ ...rows, keep: async () => true }),
};

/** Ids are kept whoever has the message by now: a zombie puts its own in place of its successor's. */
export const keptByAnyone: Sabotage = {
  sendRows: (rows, database) => ({
    ...rows,
    keep: (session, { id, version }, kept) => {
      const { claim = null, version: now = version } = database.rows.get(id) ?? {};
      return rows.keep(claim ?? session, { id, version: now }, kept);
    },
  }),
};

/** Ids are given to whatever content the message has by now. */
export const keptForAnyContent: Sabotage = {
  sendRows: (rows, database) => ({
    ...rows,
    kept: async (id, planNumber) => {
      const kept = await rows.kept(id, planNumber);
      const contentHash = hash('sha256', database.rows.get(id)?.payload ?? '');
      return kept === undefined ? undefined : { ...kept, contentHash };
    },
  }),
};

/** A claim that was not answered is taken for won. */
export const claimBelieved: Sabotage = {
  answers: (rows) => ({
    ...rows,
    claim: (session, batch, ahead) => rows.claim(session, batch, ahead).catch(() => batch.length),
  }),
};

/** A blind channel's unknown outcome is taken for a refusal. */
export const doubtHidden: Sabotage = {
  channel: (channel) => ({
    ...channel,
    send: async (prepared, attempt) => {
      const outcome = await channel.send(prepared, attempt);
      return outcome !== 'not_started' && outcome.kind === 'unknown' ? { ...outcome, kind: 'retry' } : outcome;
    },
  }),
};

/**
 * The rows are read up to a second before the acks, so a page may show a row as it was before its ack. Each run needs its own,
 * with one spout.
 */
export function reconcileBeforeAcks(): Sabotage {
  const pages = new Map<string, readonly OpenRow[]>();
  const older = new Map<string, readonly OpenRow[]>();
  return {
    acks: (acks, rows, now) => ({
      read: async (channel) => {
        const cursors = Array.from({ length: 256 }, (_, shard) => ({ shard, afterWake: 0, afterId: 0 }));
        const page = await rows.page(channel, cursors, now() - 500, 1_000);
        older.set(channel, pages.get(channel) ?? page);
        pages.set(channel, page);
        return acks.read(channel);
      },
    }),
    pages: (rows, now) => ({
      ...rows,
      page: async (channel, cursors, below, limit) => {
        const page = older.get(channel);
        if (below > now() || page === undefined) return rows.page(channel, cursors, below, limit);
        const shards = new Set(cursors.map(({ shard }) => shard));
        return page.filter(({ shard }) => shards.has(shard));
      },
    }),
  };
}

/** Every result is written back as `change` makes it. */
const writingBack = (change: (result: AttemptResult, database: MemoryDatabase) => AttemptResult): Sabotage => ({
  sendRows: (rows, database) => ({
    ...rows,
    writeBack: (session, results) =>
      rows.writeBack(
        session,
        results.map((result) => change(result, database)),
      ),
  }),
});

/** A refusal marks the account whatever credentials it has by now, and its row is suspended. */
export const markOfAnyGeneration: Sabotage = writingBack((result, database) => {
  const row = database.rows.get(result.id);
  const { settlement } = result;
  if (settlement.state !== 'suspended' || row === undefined) return result;
  return { ...result, settlement: { ...settlement, generation: database.accounts.generationOf(row) } };
});

/** A row is suspended as if no earlier attempt could have been accepted. */
export const suspendedWithoutDoubt: Sabotage = writingBack((result) => {
  const { settlement } = result;
  return settlement.state === 'suspended' ? { ...result, settlement: { ...settlement, inDoubt: false } } : result;
});

/** A provider's first refusal of credentials is believed. */
export const firstRefusalBelieved: Sabotage = { triedAfter: [] };

/** A request that the provider did not take for a reason of ours ends the doubt about the one before. */
export const postponedWithoutDoubt: Sabotage = writingBack((result) => {
  const { settlement, outcome, startedAt } = result;
  if (settlement.state !== 'scheduled' || outcome.kind !== 'postponed' || startedAt === null) return result;
  return { ...result, settlement: { ...settlement, inDoubt: false } };
});

/** What is refused counts as never sent, whatever became of the request before. */
export const refusalBelieved: Sabotage = writingBack((result) => {
  const { settlement, outcome, startedAt } = result;
  if (settlement.state !== 'uncertain' || outcome.kind !== 'rejected' || startedAt === null) return result;
  return { ...result, settlement: { ...settlement, state: 'failed', inDoubt: false } };
});

/** Suspended rows stay so when their account can be used again. */
export const noResume: Sabotage = {
  suspendedRows: () => ({ resume: async () => ({ rows: 0, hasMore: false, at: undefined }) }),
};

/** The bolts send what is late all the same. */
export const lateSent: Sabotage = { lateness: (policy) => ({ ...policy, onLate: 'send' }) };

/** What is late is given up as if no earlier attempt could have been accepted. */
export const lateWithoutDoubt: Sabotage = {
  sendRows: (rows, database) => ({
    ...rows,
    read: async (...query) =>
      (await rows.read(...query)).map((row) => {
        const isLate = database.now() > endOf(row, { sendWithinMs: null, onLate: 'suspend' });
        return isLate ? { ...row, inDoubt: false, doubtSince: null } : row;
      }),
  }),
};

/** What is late is given up when a lookup has not found it, as if that were certain. */
export const lateUnlessFound: Sabotage = writingBack((result) => {
  const { outcome, settlement } = result;
  if (outcome.kind !== 'late' || settlement.state !== 'uncertain') return result;
  const { error } = settlement;
  return { ...result, settlement: { state: 'failed', inDoubt: false, error, isLate: true } };
});

/** The bolts take half of the time that a message has for all of it. */
export const lateTooEarly: Sabotage = {
  sendRows: (rows) => ({
    ...rows,
    read: async (...query) =>
      (await rows.read(...query)).map((row) =>
        row.sendWithinMs === null ? row : { ...row, sendWithinMs: row.sendWithinMs / 2 },
      ),
  }),
};

/** A person's resume does not begin the time of a message anew: it is late again at once. */
export const resumedLate: Sabotage = {
  sendRows: (rows) => ({
    ...rows,
    read: async (...query) => (await rows.read(...query)).map((row) => ({ ...row, lateFrom: null })),
  }),
};

/** What is late is judged by the lower bound of the database's clock alone. */
export const lateByTheLowerBound: Sabotage = {
  databaseClock: (clock) => ({ earliest: () => clock.earliest(), latest: () => clock.earliest() }),
};

/** Bolts send what an outage has held up as it comes, whatever its channel says. */
export const backlogAsItComes: Sabotage = { lateness: (policy) => ({ ...policy, backlog: 'oldest' }) };

/** All of a backlog is put off by the same time, so that it keeps the order in which it was due. */
export const backlogPutOffAlike: Sabotage = {
  sendRows: (rows) => ({
    ...rows,
    settleUnclaimed: (session, results) =>
      rows.settleUnclaimed(
        session,
        results.map((result) => {
          const { settlement } = result;
          return settlement.state === 'scheduled'
            ? { ...result, settlement: { ...settlement, delayMs: 12_000 } }
            : result;
        }),
      ),
  }),
};

/** The spouts do not look for overdue rows. */
export const noReconcile: Sabotage = {
  pages: (rows, now) => ({
    ...rows,
    page: async (channel, cursors, below, limit) => (below > now() ? rows.page(channel, cursors, below, limit) : []),
  }),
};

/** The rows are read first and the frontier moves then: events that come in between are ignored. @returns how to undo it */
export function loadBeforeTheFrontier(): () => void {
  const real = Frontier.prototype;
  const move: (this: Frontier, ...of: Parameters<Frontier['move']>) => void = Reflect.get(real, 'move');
  const advance: (this: Frontier, ...of: Parameters<Frontier['advance']>) => void = Reflect.get(real, 'advance');
  const targets = new WeakMap<Frontier, number>();
  real.move = function moveLater(target) {
    targets.set(this, target);
  };
  real.advance = function moveFirst(from, to) {
    const target = targets.get(this);
    if (target !== undefined) move.call(this, target);
    advance.call(this, from, to);
  };
  return () => Object.assign(real, { move, advance });
}

/** A bolt drops what would be claimed in a pause, and reconcile brings it back. @returns how to undo it */
export function droppedInPauses(): () => void {
  const real = HeldRows.prototype;
  const mayClaim: (this: HeldRows, row: HeldRow) => boolean = Reflect.get(real, 'mayClaim');
  const add: (this: PausedRows, row: HeldRow) => void = Reflect.get(PausedRows.prototype, 'add');
  PausedRows.prototype.add = () => undefined;
  Reflect.set(real, 'mayClaim', function dropOrClaim(this: HeldRows, row: HeldRow): boolean {
    if (mayClaim.call(this, row)) return true;
    this.drop(row);
    return false;
  });
  return () => {
    PausedRows.prototype.add = add;
    Reflect.set(real, 'mayClaim', mayClaim);
  };
}
