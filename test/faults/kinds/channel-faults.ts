import { provision } from '../../../deploy/provision';
import { systemClock } from '../../../topology/core/clock';
import { readEnvironment } from '../../../topology/settings/environment';
import { MediaHost } from '../../support/channels/media-host';
import { connectAll, Deaths, SETTINGS } from '../../support/played/deaths';
import { playAll } from '../../support/played/played-providers';
import { Deployment } from '../../support/stack/deployment';
import { deprovision } from '../../support/stack/removal';
import { testSettings, type World } from '../../support/stack/stack';
import type { Arena } from '../world/arena';
import type { Fault } from './fault';

/** Channels have workers, a database and topics of their own, beside those of the load. */
const NAME = 'channels';

async function worldBeside({ stack }: Arena, components: string): Promise<World> {
  const own = Object.entries(stack.settings).map(([key, value]) => [
    key,
    key.endsWith('DATABASE_URL') ? value.replace(/[^/]*$/, NAME) : value,
  ]);
  const environment = readEnvironment({ ...Object.fromEntries(own), DOWNSPOUT_NAMESPACE: NAME }, {});
  const settings = testSettings(components);
  await provision(environment, settings, systemClock, () => undefined);
  return { environment, settings, close: () => deprovision(environment) };
}

async function dieEverywhere(arena: Arena): Promise<void> {
  const host = await MediaHost.start();
  const all = await playAll();
  try {
    const names = all.map(({ channel }) => channel);
    const components = `{ ${names.map((name) => `${name}: ${SETTINGS}`).join(', ')} }`;
    const deployment = await Deployment.start(['due', names.join(',')], components, () =>
      worldBeside(arena, components),
    );
    try {
      await connectAll(deployment, all);
      const deaths = new Deaths(deployment, all, host);
      try {
        for (const place of Deaths.places) await deaths.at(place);
      } finally {
        await deaths.stop();
      }
      const wrong = await deaths.wrong();
      if (wrong.length > 0) throw new Error(`${wrong.length} messages: ${wrong.slice(0, 10).join('; ')}`);
    } finally {
      await deployment.close();
    }
  } finally {
    await Promise.all([host.close(), ...all.map(({ fake }) => fake.close())]);
  }
}

export const channelFaults: readonly Fault[] = [
  {
    name: 'a worker of every channel is killed at each fail-point, with each provider played',
    short: false,
    rate: 10,
    mostLateMs: 60_000,
    run: dieEverywhere,
  },
];
