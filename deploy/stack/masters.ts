import { joinPair, type PairOptions } from '../../connectors/mysql/pair/pair';
import { UserError } from '../../topology/core/errors';
import { ask } from './host/ports';
import type { Report } from './stack';

/** How long until HAProxy must lead to the active master. */
const DOOR_LIMIT_MS = 30_000;
const POLL_MS = 50;

export interface MastersOptions extends Pick<PairOptions, 'clock' | 'restart'> {
  /** With MYSQL_A_URL and MYSQL_B_URL. */
  readonly settings: Readonly<Record<string, string>>;
  /** host:port of each, as the other one finds it. */
  readonly places: readonly [string, string];
  /** HAProxy's port on this machine. */
  readonly door: number;
  readonly report: Report;
}

/** Joins the stack's two MySQL masters and waits until HAProxy leads to the active one. @throws UserError, Unavailable */
export async function joinMasters({ settings, places, door, report, clock, restart }: MastersOptions): Promise<void> {
  const master = (name: string, variable: string, place: string) => {
    const [host = '', port] = place.split(':');
    return { name, url: settings[variable] as string, host, port: Number(port) };
  };
  await joinPair({
    masters: [master('mysql', 'MYSQL_A_URL', places[0]), master('mysql-b', 'MYSQL_B_URL', places[1])],
    clock,
    restart,
    report: (part, text) => report({ part, stage: 'ready', text }),
  });
  const limit = clock.monotonic() + DOOR_LIMIT_MS;
  while ((await ask(door, null, 1_000)) === null) {
    if (clock.monotonic() > limit) {
      throw new UserError(
        `HAProxy leads to no master after ${DOOR_LIMIT_MS / 1_000} s. Its log says why; run \`downspout up\` again.`,
      );
    }
    await clock.sleep(POLL_MS);
  }
}
