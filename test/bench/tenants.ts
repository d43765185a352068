import { KafkaAdmin } from '../../connectors/kafka/kafka-admin';
import { kafkaClient } from '../../connectors/kafka/kafka-client';
import { groupName } from '../../connectors/kafka/names';
import { systemClock } from '../../topology/core/clock';
import {
  HOSTILE_ACCOUNT,
  type HostileTenant,
  hostileTenants,
  type TenantHosts,
} from '../support/tenants/hostile-tenants';
import { HangingHosts, Host } from '../support/tenants/hosts';
import { SilentResolver } from '../support/tenants/silent-resolver';
import type { BenchTable } from './bench-table';
import type { FullTable } from './full-table';
import { openStack } from './open-stack';
import type { BenchOptions } from './options';
import { Others, type OthersFigures } from './others';
import { type Usage, UsageMeter } from './process-usage';
import type { WholeStack } from './whole-stack';
import type { BenchRow } from './workload';

/** What came of the others beside one hostile tenant. */
export interface TenantFigures {
  readonly name: string;
  readonly others: OthersFigures;
  /** Of a bolt, while this tenant was there. */
  readonly peakBytes: number;
  /** Workers that ended by themselves. */
  readonly deaths: number;
  /** Partitions whose committed offset did not move past what was emitted `DROPPED_AFTER_MS` before. */
  readonly stuckPartitions: number;
  /** How long a spout's page takes that begins amid the tenant's rows; null where that was not measured. */
  readonly pageMs: number | null;
  /** What this tenant adds to the p99 of the others; null where that was not measured. */
  readonly addedP99Ms: number | null;
  /** What the table says of the tenant's own messages in the end. */
  readonly hostile: Readonly<Record<string, number>>;
  /** So many of them were to be refused. */
  readonly refused: number;
}

type Say = (text: string) => void;

/** Rows that this machine inserts in a second at least, and bytes. */
const INSERT_ROWS = 5_000;
const INSERT_BYTES = 20_000_000;
/** The instant is so long after the last row is inserted. */
const KNOWN_AHEAD_MS = 4_000;
/** A machine that is slower than that gets twice the time, so often. */
const TRIES = 4;
/** A message of the others that is so late is missing. */
const PATIENCE_MS = 15_000;
/** A tuple that cannot start is dropped within half a minute after its wake; a little more is allowed. */
const DROPPED_AFTER_MS = 40_000;
/** The JVMs are slow in their first minute. */
const WARM_UP_SECONDS = 30;
const START_MS = 60_000;
const OVERDUE_ROWS = 1_000_000;
const DRAIN_MS = 12_000;

/** What the bolt may send of an account, where limits are measured. */
const LIMITS = { perAccount: { rate: '100/1min' } };

const nobody: HostileTenant = { name: 'no hostile tenant', messages: 0, payloadOf: () => ({}) };
/** Its messages are added by themselves, before the workers start. */
const crowd: HostileTenant = {
  name: 'overdue messages of one account, all of one instant, to a host that hangs',
  messages: 0,
  payloadOf: (_, { hanging }) => ({ url: hanging.urlOf(0), body: 1 }),
};
const overLimit: HostileTenant = {
  name: '10,000 messages of an account that may send 100 a minute',
  messages: 10_000,
  payloadOf: (n, { shared }) => ({ url: shared.urlOf('accepts'), body: n }),
};
const holder: HostileTenant = {
  name: 'a transaction holds one due row',
  messages: 1,
  payloadOf: (n, { shared }) => ({ url: shared.urlOf('accepts'), body: n }),
};

/** Measures how late the messages of ordinary accounts are while one account does harm, on workers with default settings. */
export class Tenants {
  private constructor(
    private readonly stack: WholeStack,
    private readonly table: BenchTable,
    private readonly full: FullTable,
    private readonly admin: KafkaAdmin,
    private readonly hosts: TenantHosts,
    private readonly others: Others,
    private readonly resolver: SilentResolver,
    private readonly say: Say,
  ) {}

  static async start(say: Say, onEnd: (end: () => Promise<void>) => void): Promise<Tenants> {
    const hosts = { hanging: await HangingHosts.start(1_000), shared: await Host.start() };
    onEnd(async () => void (await Promise.all([hosts.hanging.close(), hosts.shared.close()])));
    const others = await Others.start(hosts.shared);
    onEnd(() => others.close());
    const resolver = await SilentResolver.start();
    onEnd(() => resolver.close());
    const { stack, table, full } = await openStack(say, onEnd);
    const brokers = (stack.settings['KAFKA_BROKERS'] as string).split(',');
    const admin = new KafkaAdmin(kafkaClient({ brokers, clientId: 'bench', log: () => undefined }));
    onEnd(() => admin.close());
    return new Tenants(stack, table, full, admin, hosts, others, resolver, say);
  }

  async measure({ window, held, only, overdue }: BenchOptions): Promise<TenantFigures[]> {
    await this.beside({ ...nobody, name: 'warm-up' }, WARM_UP_SECONDS);
    const done: TenantFigures[] = [];
    const rows = overdue === 0 ? OVERDUE_ROWS : overdue;
    for (const tenant of [nobody, ...hostileTenants, crowd, holder]) {
      if (!new RegExp(only).test(tenant.name)) continue;
      this.say(tenant.name);
      const seconds = tenant === holder ? held : window;
      const figures = await (tenant === crowd ? this.besideCrowd(rows, seconds) : this.beside(tenant, seconds));
      const { p95, missing } = figures.others;
      this.say(`${tenant.name}: others p95 ${p95 ?? '∞'} ms late, ${missing} missing`);
      done.push(figures);
    }
    if (new RegExp(only).test(overLimit.name)) done.push(...(await this.besideLimits(window)));
    return done;
  }

  /** The same workers with limits, without and with an account that has more than its own. */
  private async besideLimits(seconds: number): Promise<TenantFigures[]> {
    this.say(overLimit.name);
    const quiet = await this.beside({ ...nobody, name: `${nobody.name}, with limits` }, seconds, { limits: LIMITS });
    const figures = await this.beside(overLimit, seconds, { limits: LIMITS });
    const [before, after] = [quiet.others.p99, figures.others.p99];
    const addedP99Ms = before === null || after === null ? Number.POSITIVE_INFINITY : after - before;
    this.say(`${overLimit.name}: others p99 ${before ?? '∞'} ms late without it, ${after ?? '∞'} ms with it`);
    return [quiet, { ...figures, addedP99Ms }];
  }

  private async besideCrowd(count: number, seconds: number): Promise<TenantFigures> {
    const payload = JSON.stringify(crowd.payloadOf(0, this.hosts));
    const rows = { account: HOSTILE_ACCOUNT, channel: 'webhook', payload, count };
    await this.full.addCrowd(rows);
    const pageMs = await this.full.pageAmid(rows);
    const named = { ...crowd, name: `${count} ${crowd.name}` };
    const figures = await this.beside(named, seconds, { before: () => this.full.remove(HOSTILE_ACCOUNT) });
    return { ...figures, pageMs };
  }

  /** @param more `before`: what to do before the table is emptied; `limits`: of the bolt, none unless given */
  private async beside(
    tenant: HostileTenant,
    seconds: number,
    more: { readonly before?: () => Promise<void>; readonly limits?: object } = {},
  ): Promise<TenantFigures> {
    const { before = async () => undefined, limits } = more;
    const deathsBefore = this.stack.deaths;
    this.stack.startWorkersAsShipped({ DOWNSPOUT_RESOLVER: this.resolver.address }, limits && { limits });
    await this.workersOwn();
    const { rows, release } = await this.insert(tenant, seconds);
    const instant = (rows[0] as BenchRow).dueAt;
    const end = instant + seconds * 1_000;
    const meter = new UsageMeter(this.stack.workers);
    await systemClock.sleep(end - DROPPED_AFTER_MS - systemClock.now());
    // In a shorter window what was emitted before it may still be held.
    const emitted = seconds * 1_000 > DROPPED_AFTER_MS ? await this.logEnds() : new Map<number, number>();
    await systemClock.sleep(end - systemClock.now());
    const committed = await this.committed();
    while (this.others.missing(rows).length > 0 && systemClock.now() < end + PATIENCE_MS) await systemClock.sleep(100);
    await release();
    const figures = {
      name: tenant.name,
      others: this.others.judge(rows),
      peakBytes: Math.max(
        0,
        ...meter
          .read()
          .filter(isBolt)
          .map(({ peakBytes }) => peakBytes),
      ),
      deaths: this.stack.deaths - deathsBefore,
      stuckPartitions: [...emitted].filter(([partition, high]) => (committed.get(partition) ?? -1) < high).length,
      pageMs: null,
      addedP99Ms: null,
      hostile: await this.table.states(0, HOSTILE_ACCOUNT),
      refused: tenant.refused ?? 0,
    };
    await this.stack.endWorkers(DRAIN_MS);
    await before();
    await this.table.clear();
    return figures;
  }

  /** Inserts everything well before the instant. @returns the rows of the others, and what lets a held row go */
  private async insert(tenant: HostileTenant, seconds: number) {
    const sample = JSON.stringify(tenant.payloadOf(tenant.messages - 1, this.hosts)).length;
    const insertMs = tenant.messages * Math.max(1_000 / INSERT_ROWS, (sample * 1_000) / INSERT_BYTES);
    for (let slower = 1; slower < 2 ** TRIES; slower *= 2) {
      const instant = systemClock.now() + KNOWN_AHEAD_MS + Math.ceil(insertMs * slower);
      const hostile = Array.from({ length: tenant.messages }, (_, n) => ({
        tag: '',
        account: HOSTILE_ACCOUNT,
        dueAt: instant,
        payload: JSON.stringify(tenant.payloadOf(n, this.hosts)),
      }));
      const rows = this.others.rows(`${tenant.name} ${instant}`, instant, seconds, tenant.sharesHost === true);
      await this.table.insert(hostile);
      await this.table.insert(rows);
      if (systemClock.now() < instant - KNOWN_AHEAD_MS / 2) {
        const release = tenant === holder ? await this.table.hold(HOSTILE_ACCOUNT) : async () => undefined;
        return { rows, release };
      }
      await this.table.clear();
    }
    throw new Error('the rows cannot be written ahead of time: the machine is too busy');
  }

  private async workersOwn(): Promise<void> {
    const limit = systemClock.monotonic() + START_MS;
    for (;;) {
      const pids = this.stack.workers.map(({ pid }) => pid);
      if (pids.length === 4 && (await this.table.atWork(pids)).length === 4) return;
      if (systemClock.monotonic() > limit) throw new Error(`the workers own no partitions after ${START_MS} ms`);
      await systemClock.sleep(200);
    }
  }

  private async logEnds(): Promise<Map<number, number>> {
    const logs = await this.admin.logs('due.webhook');
    return new Map(logs.map(({ partition, high }) => [partition, high]));
  }

  private committed(): Promise<Map<number, number>> {
    return this.admin.committed(groupName('', 'webhook'), 'due.webhook');
  }
}

function isBolt({ name }: Usage): boolean {
  return name.startsWith('webhook');
}
