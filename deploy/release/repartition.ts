import type { KafkaAdmin } from '../../connectors/kafka/kafka-admin';
import { COUNT_MAX_AGE_MS } from '../../connectors/kafka/kafka-streams';
import { readLag } from '../../connectors/kafka/lag';
import type { DeployLock } from '../../connectors/mysql/operators/deploy-lock';
import { OwnPause } from '../../connectors/mysql/operators/own-pause';
import type { Pool } from '../../connectors/mysql/sql/pool';
import type { Clock } from '../../topology/core/clock';
import { Unavailable, UserError } from '../../topology/core/errors';
import type { Environment } from '../../topology/settings/environment';
import type { TopologySettings } from '../../topology/settings/topology-settings';
import { topicName } from '../../topology/streams';
import { counted } from '../console/units';
import { hasMembers, untilDrained } from './drain';
import type { Growth } from './growths';
import { SpoutIsSilent, untilAllKnowPauses, untilHeard, untilQuiet } from './quiet-spouts';

const LOOK_EVERY_MS = 200;
/** How long until the group of the bolt has taken the new partitions. */
const OWNED_LIMIT_MS = 30_000;
/** How often a pause begins again for spouts that were lost in it. */
const MAX_PAUSES = 3;

export interface RepartitionOptions {
  readonly environment: Environment;
  readonly kafka: <T>(work: (admin: KafkaAdmin) => Promise<T>) => Promise<T>;
  readonly settings: TopologySettings;
  /** What workers that are drained may run; what they are to run is beside it. */
  readonly running?: readonly TopologySettings[];
  readonly clock: Clock;
  readonly pool: Pool;
  readonly lock: Pick<DeployLock, 'transaction' | 'check'>;
  /** Aborts when the command is to end; what is paused is resumed. */
  readonly signal: AbortSignal;
  readonly report: (text: string) => void;
}

/**
 * Adds partitions to a stream whose messages are being sent.
 *
 * 1. *No account's messages overtake each other* while their stream grows: an account may move to another partition, so all that was emitted is sent
 *    before anything is emitted by the new number.
 * 2. *Nothing stays paused when the command dies*: the pause ends by itself, and the next deploy goes on.
 * 3. *Nothing is paused in vain*: Kafka is asked first whether it takes the partitions, and what it refuses is thrown.
 * 4. *No partitions are added while workers of a version run that does not know such a pause*: they would reorder messages.
 * 5. *No pause waits for a spout that may be dead*: until it comes back or is dead, a minute at most after its lease, sends go on.
 */
export class Repartition {
  private pauses: OwnPause[] = [];
  /** When partitions of a bolt's stream were added, monotonic: spouts may go by the number before for a moment. */
  private addedMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: RepartitionOptions) {}

  /** The stream of a channel. @param growth of a bolt's stream. @returns milliseconds for which its channel was paused */
  async growDue(growth: Growth): Promise<number> {
    const { report } = this.options;
    const { component, stream, from, to } = growth;
    await untilAllKnowPauses(this.options, stream);
    await this.options.kafka((admin) => this.add(admin, growth, { validateOnly: true }));
    const begins = `${stream}: ${from} → ${to} partitions; sends of ${component} pause`;
    const took = await this.paused(begins, [component], async (admin) => {
      await this.drained(admin, [component], stream);
      // Also when what follows fails, or nobody knows what Kafka made of it, spouts learn of the number before they emit.
      await this.add(admin, growth).finally(() => {
        this.addedMs = this.options.clock.monotonic();
      });
      await this.owned(admin, growth);
    });
    report(`${stream}: ${to} partitions; sends of ${component} paused for ${(took / 1_000).toFixed(1)} s`);
    return took;
  }

  /**
   * The stream of changes. Shards move between its partitions, so nothing is emitted until CDC writes by the new number and
   * every spout has begun again.
   * @param register gives the connector the new number and sees a change come through
   * @param restartSpouts replaces them, and returns when they are ready
   * @returns milliseconds for which nothing was sent
   */
  async growChanges(
    growth: Growth,
    register: () => Promise<void>,
    restartSpouts: () => Promise<void>,
  ): Promise<number> {
    const { report, settings } = this.options;
    const { stream, from, to } = growth;
    await untilAllKnowPauses(this.options, stream);
    await this.options.kafka((admin) => this.add(admin, growth, { validateOnly: true }));
    const channels = Object.keys(settings.bolts);
    const begins = `${stream}: ${from} → ${to} partitions; all sends pause`;
    const took = await this.paused(begins, channels, async (admin) => {
      await this.drained(admin, channels, stream);
      await this.add(admin, growth);
      await register();
      await restartSpouts();
    });
    report(`${stream}: ${to} partitions; sends paused for ${(took / 1_000).toFixed(1)} s`);
    return took;
  }

  /** @returns milliseconds for which the channels were paused, in all */
  private async paused(
    begins: string,
    channels: readonly string[],
    work: (admin: KafkaAdmin) => Promise<void>,
  ): Promise<number> {
    const { clock, report } = this.options;
    let tookMs = 0;
    for (let times = 1; ; times++) {
      await untilHeard(this.options);
      report(begins);
      const begunMs = clock.monotonic();
      try {
        await this.inPause(channels, work);
        return tookMs + clock.monotonic() - begunMs;
      } catch (error) {
        if (!(error instanceof SpoutIsSilent) || times === MAX_PAUSES) throw error;
        tookMs += clock.monotonic() - begunMs;
        report(`${error.message} Sends go on until it is back or dead.`);
      }
    }
  }

  private async inPause(channels: readonly string[], work: (admin: KafkaAdmin) => Promise<void>): Promise<void> {
    const { kafka, lock, clock } = this.options;
    try {
      for (const channel of channels) this.pauses.push(await OwnPause.begin(lock, clock, channel));
      await kafka(work);
    } finally {
      await clock.sleep(Math.max(0, this.addedMs + COUNT_MAX_AGE_MS - clock.monotonic()));
      await Promise.all(this.pauses.map((pause) => pause.end()));
      this.pauses = [];
    }
  }

  /** @param stream that is to grow: of others of the same deploy some may have grown already */
  private async drained(admin: KafkaAdmin, channels: readonly string[], stream: string): Promise<void> {
    const { settings, running = [] } = this.options;
    // Of all channels at once: for each by itself the pause would be as many times as long.
    await untilQuiet(this.options, channels);
    for (const channel of channels) {
      const timeoutMs = Math.max(0, ...[settings, ...running].map(({ bolts }) => bolts[channel]?.timeoutMs ?? 0));
      await untilDrained({ ...this.options, admin, channel, timeoutMs }).catch((error: unknown) => {
        if (!(error instanceof UserError)) throw error;
        const text = `${error.message} ${stream} has the partitions that it had, sends go on, and so does the release that runs.`;
        throw new UserError(`${text} Deploy again when less is being sent.`, { cause: error });
      });
      this.checkGoesOn();
    }
  }

  /** @throws UserError with what Kafka says against it */
  private async add(
    admin: KafkaAdmin,
    { stream, to }: Growth,
    options?: { readonly validateOnly: true },
  ): Promise<void> {
    const { environment, lock } = this.options;
    this.checkGoesOn();
    await lock.check();
    for (const pause of this.pauses) await pause.extend();
    const refusal = await admin.enlarge(topicName(environment.DOWNSPOUT_NAMESPACE, stream), to, options);
    if (refusal === null) return;
    throw new UserError(
      `Kafka does not give ${stream} ${to} partitions: ${refusal}. \`downspout grants\` prints the rights that are needed.`,
    );
  }

  /**
   * Waits until each partition has its worker, where there are workers at all. Partitions that were just added have no leader for
   * a moment, so Kafka's answers may be errors.
   * @throws UserError, Unavailable when that takes too long
   */
  private async owned(admin: KafkaAdmin, { component, stream, to }: Growth): Promise<void> {
    const { environment, clock } = this.options;
    const isOwned = async () => {
      if (!(await hasMembers(admin, environment, component))) return true;
      const lags = await readLag(admin, environment.DOWNSPOUT_NAMESPACE, [{ component, stream }]);
      return lags.filter(({ owner }) => owner !== null).length === to;
    };
    const limit = clock.monotonic() + OWNED_LIMIT_MS;
    for (;;) {
      this.checkGoesOn();
      const isLate = clock.monotonic() > limit;
      try {
        if (await isOwned()) return;
      } catch (error) {
        if (isLate || !(error instanceof Unavailable)) throw error;
      }
      if (isLate) {
        throw new UserError(
          `${stream} has ${counted(to, 'partition')}, and after ${OWNED_LIMIT_MS / 1_000} s not all of them have a worker. \`downspout lag\` shows which.`,
        );
      }
      await clock.sleep(LOOK_EVERY_MS, this.options.signal);
    }
  }

  private checkGoesOn(): void {
    this.options.signal.throwIfAborted();
  }
}
