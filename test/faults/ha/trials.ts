import { until } from '../../support/until';
import type { Felt, HaTrial, Load } from './ha-trial';
import type { PartName } from './ha-world';

export interface Outcome {
  readonly felt: Felt;
  /** Rows of each table, which are the same on all servers. */
  readonly equal: Readonly<Record<string, number>>;
}

export interface Under {
  readonly trial: HaTrial;
  readonly load: Load;
}

/** After each everything runs again, and the rows are compared one by one. */
async function tried(
  { trial, load }: Under,
  harm: () => Promise<void>,
  mend: () => Promise<void> = () => Promise.resolve(),
): Promise<Outcome> {
  const felt = await trial.underLoad(harm, load);
  await mend();
  await trial.world.whole();
  const connector = trial.world.connector();
  await until('the connector and its task run', async () => {
    const status = await connector.status().catch(() => null);
    return status?.state === 'RUNNING' && status.tasks.length > 0 && status.tasks.every((t) => t.state === 'RUNNING');
  });
  return { felt, equal: await trial.world.equalRows() };
}

async function killed(under: Under, name: PartName): Promise<Outcome> {
  const { world } = under.trial;
  return tried(
    under,
    () => world.kill(name),
    () => world.revive(name),
  );
}

async function rebooted(under: Under, name: PartName): Promise<Outcome> {
  const { world } = under.trial;
  return tried(under, async () => {
    await world.end(name);
    await world.revive(name);
  });
}

/** It stands still while the load goes on by the others, and then wakes. */
async function paused(under: Under, name: PartName): Promise<Outcome> {
  const { world } = under.trial;
  const wake = async () => world.resume(name);
  try {
    return await tried(under, async () => world.pause(name), wake);
  } finally {
    await wake();
  }
}

async function primaryOf({ trial }: Under): Promise<PartName> {
  return (await trial.world.whole()).primary;
}

async function secondaryOf({ trial }: Under): Promise<PartName> {
  return (await trial.world.whole()).secondaries[0] as PartName;
}

/** What may happen to one server, broker or Connect worker, and to all servers. */
export const trials = {
  primaryKilled: async (under: Under) => killed(under, await primaryOf(under)),
  plannedSwitch: (under: Under) => tried(under, async () => void (await under.trial.world.switchPrimary())),
  primaryRebooted: async (under: Under) => rebooted(under, await primaryOf(under)),
  secondaryKilled: async (under: Under) => killed(under, await secondaryOf(under)),
  secondaryRebooted: async (under: Under) => rebooted(under, await secondaryOf(under)),
  secondaryPaused: async (under: Under) => paused(under, await secondaryOf(under)),
  brokerKilled: (under: Under) => killed(under, 'kafka'),
  brokerBKilled: (under: Under) => killed(under, 'kafka-b'),
  brokerCRebooted: (under: Under) => rebooted(under, 'kafka-c'),
  brokerPaused: (under: Under) => paused(under, 'kafka'),
  connectKilled: (under: Under) => killed(under, 'connect'),
  connectBKilled: (under: Under) => killed(under, 'connect-b'),
  connectPaused: (under: Under) => paused(under, 'connect'),
  connectBPaused: (under: Under) => paused(under, 'connect-b'),
  haproxyKilled: (under: Under) =>
    tried(under, async () => {
      const { world } = under.trial;
      await world.kill('haproxy');
      await world.revive('haproxy');
    }),
  allServersKilled: (under: Under) =>
    tried(under, async () => {
      const { world } = under.trial;
      const { primary, secondaries } = await world.whole();
      await Promise.all([primary, ...secondaries].map((name) => world.kill(name)));
      await world.up();
    }),
} satisfies Record<string, (under: Under) => Promise<Outcome>>;
