import { type GroupOptions, startGroup } from '../../connectors/mysql/group/group';
import { UserError } from '../../topology/core/errors';
import { ask } from './host/ports';
import { MYSQL_SERVERS } from './parts/mysql-part';
import type { Report } from './stack';
import { administratorUrl } from './stack-settings';

/** How long until HAProxy must lead to the primary. */
const DOOR_LIMIT_MS = 30_000;
const POLL_MS = 50;

export interface MembersOptions extends Pick<GroupOptions, 'clock' | 'restart'> {
  readonly passwords: { readonly admin: string; readonly replication: string };
  /** host:port of a part, as this machine sees it. */
  readonly at: (part: string) => string;
  readonly report: Report;
}

/** Makes the stack's MySQL servers one group and waits until HAProxy leads to its primary. @throws UserError, Unavailable */
export async function joinMembers({ passwords, at, report, clock, restart }: MembersOptions): Promise<void> {
  await startGroup({
    members: MYSQL_SERVERS.map((name) => ({ name, url: administratorUrl(at(name), passwords.admin) })),
    password: passwords.replication,
    clock,
    restart,
    report: (part, text) => report({ part, stage: 'ready', text }),
  });
  const door = Number(at('haproxy').split(':')[1]);
  const limit = clock.monotonic() + DOOR_LIMIT_MS;
  while ((await ask(door, null, 1_000)) === null) {
    if (clock.monotonic() > limit) {
      throw new UserError(
        `HAProxy leads to no primary after ${DOOR_LIMIT_MS / 1_000} s. Its log says why; run \`downspout up\` again.`,
      );
    }
    await clock.sleep(POLL_MS);
  }
}
