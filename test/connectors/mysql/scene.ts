import { createHash, randomBytes } from 'node:crypto';
import type { AttemptResult, SendRow } from '../../../bolts/send-rows';
import type { Outcome, Settlement } from '../../../topology/message';
import type { PortsWorld } from './ports-world';

/** A world, opened for one `describe`, and the steps that its tests begin with. */
export class Scene {
  world!: PortsWorld;
  /** When the test began, by the database's clock. */
  now = 0;
  readonly first = newSession();
  readonly second = newSession();

  constructor(open: () => Promise<PortsWorld>) {
    beforeAll(async () => {
      this.world = await open();
    });
    afterAll(() => this.world.close());
    beforeEach(async () => {
      this.now = await this.world.now();
    });
  }

  /** A message that has just woken, or wakes at `dueAt`. */
  async insert(dueAt = this.now - 1, more: { account?: string; payload?: unknown } = {}): Promise<number> {
    const [id] = await this.world.insert([{ dueAt, ...more }]);
    return id as number;
  }

  async read(id: number): Promise<SendRow> {
    return (await this.world.sendRows.read([id], Number.POSITIVE_INFINITY))[0] as SendRow;
  }

  async claimed(session = this.first): Promise<SendRow> {
    const id = await this.insert();
    const won = await this.world.sendRows.claim(session, [await this.read(id)], 0);
    if (won !== 1) throw new Error('the scene is not set: the claim was lost');
    return this.read(id);
  }

  /** As if the owner had died. */
  async recovered({ id, version, session }: SendRow): Promise<SendRow> {
    const { recovered } = await this.world.openRows.recover([{ id, version, session: session as string }], 0);
    if (recovered !== 1) throw new Error('the scene is not set: the row was not recovered');
    return this.read(id);
  }
}

export function newSession(): string {
  return randomBytes(16).toString('hex');
}

export function delivered(receipt: string | null): Settlement {
  return { state: 'delivered', deliveredAt: 5, receipt };
}

export function retry(delayMs: number): Extract<Settlement, { state: 'scheduled' }> {
  return { state: 'scheduled', inDoubt: false, error: 'busy', delayMs };
}

export function result(row: SendRow, outcome: Outcome, settlement: Settlement): AttemptResult {
  const contentHash = createHash('sha256')
    .update(row.payload as string)
    .digest('hex');
  const { id, version, dueAt, wakeAt } = row;
  const when = { dueAt, wakeAt: wakeAt as number, startedAt: 1.25, finishedAt: 5.5 };
  return { id, version, ...when, contentHash, outcome, settlement };
}
