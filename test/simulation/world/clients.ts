import type { MemoryDatabase } from '../../support/mysql/memory-database';
import { wakeOf } from '../../support/mysql/memory-table';
import type { Random } from '../../support/random';
import type { ClientOperation } from '../judge/history';
import type { Condition } from './link';
import type { Scenario } from './scenario';
import type { SimulatedTime } from './time';

export interface ClientsOptions {
  readonly time: SimulatedTime;
  readonly random: Random;
  readonly database: MemoryDatabase;
  readonly condition: Condition;
  readonly channels: readonly string[];
  readonly accounts: number;
  readonly lateness: Scenario['lateness'];
}

type Answer = Partial<Pick<ClientOperation, 'id' | 'version'>> & { readonly result: 'ok' | 'refused' };

/** Applications that schedule, edit and cancel, and record what they asked, when, and what the answer was. */
export class Clients {
  readonly history: ClientOperation[] = [];
  private contents = 0;

  constructor(private readonly options: ClientsOptions) {}

  /** The database's clock is the true one; those of the machines are wrong. Epoch milliseconds. */
  get now(): number {
    return this.options.time.now;
  }

  /** @param then gets the id when the answer comes */
  insert(dueAt: number, then: (id: number) => void = () => {}): void {
    const { random, accounts } = this.options;
    this.insertAs(`account-${random.integer(1, accounts)}`, this.content(), dueAt, then);
  }

  /** @param content different from every other */
  insertAs(account: string, content: string, dueAt: number, then: (id: number) => void = () => {}): void {
    const { database, random, channels, lateness } = this.options;
    const channel = random.pick(channels);
    const policy = lateness !== undefined && random.chance(lateness.own) ? own(lateness, random) : {};
    const effect = (): Answer => {
      const { id } = database.insert({ account, channel, payload: content, dueAt, ...policy });
      return { result: 'ok', id, version: 1 };
    };
    this.ask({ kind: 'insert', id: undefined, content, dueAt }, effect, (id) => then(id as number));
  }

  edit(id: number): void {
    const { database, random } = this.options;
    const row = database.rows.get(id);
    const wakeAt = row === undefined ? null : wakeOf(row);
    const dueAt = Math.round(Math.max(wakeAt ?? 0, this.now) + random.pick([-500, 0, 300, 2_500, 4_000]));
    const content = random.chance(0.8) ? this.content() : undefined;
    const change = {
      ...(content === undefined || random.chance(0.6) ? { dueAt } : {}),
      ...(content === undefined ? {} : { content }),
    };
    this.ask({ kind: 'edit', id, ...change }, () => {
      const payload = content === undefined ? {} : { payload: JSON.parse(content) as unknown };
      const answer = database.edit(id, { ...payload, ...('dueAt' in change ? { dueAt: change.dueAt } : {}) });
      return answer.result === 'edited' ? { result: 'ok', version: answer.version } : { result: 'refused' };
    });
  }

  cancel(id: number): void {
    const { database } = this.options;
    this.ask({ kind: 'cancel', id }, () => ({
      result: database.cancel(id).result === 'canceled' ? 'ok' : 'refused',
    }));
  }

  /** An application's own SQL, which compares the state but forgets `version`. */
  overwrite(id: number): void {
    const { database } = this.options;
    const content = this.content();
    this.ask({ kind: 'overwrite', id, content }, () => {
      const row = database.rows.get(id);
      if (row?.state !== 'scheduled' || row.inDoubt) return { result: 'refused' };
      database.overwrite(id, JSON.parse(content));
      return { result: 'ok' };
    });
  }

  /** A person has a skipped message sent again. */
  redrive(id: number): void {
    const { database } = this.options;
    if (!database.redrive(id)) return;
    this.history.push({ kind: 'redrive', id, invokedAt: this.now, endedAt: this.now, result: 'ok' });
  }

  private content(): string {
    return JSON.stringify(`content ${++this.contents}`);
  }

  private ask(
    asked: Pick<ClientOperation, 'kind' | 'id' | 'content' | 'dueAt'>,
    effect: () => Answer,
    then: (id: number | undefined) => void = () => {},
  ): void {
    const { time, random, condition } = this.options;
    const index = this.history.length;
    const invoked = { ...asked, invokedAt: this.now, endedAt: Number.POSITIVE_INFINITY, result: 'unknown' as const };
    this.history.push(invoked);
    const fate = random.next();
    time.after(random.skewed(condition.least, condition.most), () => {
      if (condition.away || fate < condition.refused) {
        this.history[index] = { ...invoked, endedAt: this.now, result: 'refused' };
        return;
      }
      const answer = effect();
      if (fate < condition.refused + condition.lost) return;
      time.after(random.skewed(condition.least, condition.most), () => {
        this.history[index] = { ...invoked, ...answer, endedAt: this.now };
        if (answer.result === 'ok') then(answer.id);
      });
    });
  }
}

/** What a message says itself of when it is late. */
function own({ sendWithinMs, onLate }: NonNullable<Scenario['lateness']>, random: Random) {
  return { sendWithinMs: Math.round((sendWithinMs ?? 1_000) * random.pick([0.5, 1, 2])), onLate };
}
