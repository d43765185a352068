import type { SendLimits } from '../../../bolts/send-limits';
import type { SendRows } from '../../../bolts/send-rows';
import type { SecretsOf } from '../../../connectors/channels/account-secrets';
import type { OpenRows } from '../../../spouts/open-rows';
import type { SuspendedRows } from '../../../spouts/suspended-rows';
import type { WorkerRegistry } from '../../../topology/runtime/worker-registry';
import type { MemoryDatabase } from '../../support/mysql/memory-database';
import type { Link } from './link';
import type { Machine } from './machine';
import type { Sabotage } from './sabotage';

/** A statement waits so long for a row that another transaction has locked; then it leaves the row out. */
const LOCK_WAIT_MS = 1_000;

/** The database as one machine has it: the same ports, with the way there and back in between. */
export class DatabaseLink {
  /** Slow ways of this machine, as factors. */
  readonly slow = { there: 1, back: 1 };
  /** Nothing of this machine comes through, neither way; the others feel nothing. */
  cut = false;

  constructor(
    private readonly database: MemoryDatabase,
    private readonly link: Link,
    private readonly machine: Machine,
    private readonly sabotage: Sabotage,
  ) {}

  sendRows(): SendRows {
    const { database, sabotage } = this;
    const rows = sabotage.sendRows?.(database.sendRows(), database) ?? database.sendRows();
    return {
      read: (...query) => this.call(() => rows.read(...query)),
      claim: (session, batch, ahead) =>
        this.call(async () => {
          if (batch.some(({ id }) => database.locked.has(id))) await this.link.wait(LOCK_WAIT_MS);
          return rows.claim(session, batch, ahead);
        }),
      settleUnclaimed: (...query) => this.call(() => rows.settleUnclaimed(...query)),
      writeBack: (session, results) => this.call(() => rows.writeBack(session, results)),
      writeAlone: (...query) => this.call(() => rows.writeAlone(...query)),
      journal: (...query) => this.call(() => rows.journal(...query)),
      kept: (...query) => this.call(() => rows.kept(...query)),
      keep: (...query) => this.call(() => rows.keep(...query)),
    };
  }

  sendLimits(channel: string): SendLimits {
    const limits = this.sabotage.sendLimits?.(this.database.sendLimits(channel)) ?? this.database.sendLimits(channel);
    return {
      take: (...query) => this.call(() => limits.take(...query)),
      hold: (...query) => this.call(() => limits.hold(...query)),
      giveBack: (...query) => this.call(() => limits.giveBack(...query)),
    };
  }

  openRows(): OpenRows {
    const { database, sabotage } = this;
    const rows = sabotage.openRows?.(database.openRows(), database) ?? database.openRows();
    return {
      page: (...query) => this.call(() => rows.page(...query)),
      leasesOf: (...query) => this.call(() => rows.leasesOf(...query)),
      markDead: (...query) => this.call(() => rows.markDead(...query)),
      recover: (...query) => this.call(() => rows.recover(...query)),
    };
  }

  suspendedRows(): SuspendedRows {
    const { database, sabotage } = this;
    const rows = sabotage.suspendedRows?.(database.suspendedRows(), database) ?? database.suspendedRows();
    return { resume: (after) => this.call(() => rows.resume(after)) };
  }

  secretsOf(channel: string): SecretsOf {
    return (accounts) => this.call(async () => this.database.accounts.stored(channel, accounts));
  }

  registry(): WorkerRegistry {
    const { database, machine, sabotage } = this;
    const registry = sabotage.registry?.(database.registry(), database) ?? database.registry();
    return {
      register: (...query) => this.call(() => registry.register(...query)),
      renew: (...query) => this.call(() => registry.renew(...query)),
      leave: (...query) => this.call(() => registry.leave(...query)),
      pulse: async () => {
        const sent = machine.monotonic();
        const pulse = await this.call(() => registry.pulse());
        return { ...pulse, reading: { ...pulse.reading, sent, received: machine.monotonic() } };
      },
    };
  }

  private call<T>(effect: () => Promise<T>): Promise<T> {
    return this.link.call(this.machine, effect, this.slow, () => this.cut);
  }
}
