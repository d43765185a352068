import { existsSync, readdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { placementName } from '../../../connectors/mysql/operators/placements';
import { currentRelease } from '../../../connectors/mysql/operators/releases';
import { systemClock } from '../../../topology/core/clock';
import { UserError } from '../../../topology/core/errors';
import { listenForEnd } from '../../../topology/runtime/signals';
import { parseCount } from '../../console/durations';
import { type Output, type OutputOptions, printable } from '../../console/output';
import { defaultStateFolder } from '../../targets/local/detached';
import { LogFollower } from '../../targets/local/log-follower';
import { logFolderOf } from '../../targets/local/run-supervisor';
import { withPool } from '../database';
import { elsewhere } from '../elsewhere';
import { contextOf, type VerbContext, verb } from '../verb';
import { readWhereabouts } from './ps';

interface LogsOptions extends OutputOptions {
  readonly follow?: boolean;
  readonly lines: number;
  readonly state?: string;
}

const LOOK_EVERY_MS = 300;

/** `downspout logs`. */
export function logsCommand(): Command {
  return verb('logs', "what this host's workers say, each line after the worker's name", {
    example: 'downspout logs -f webhook',
  })
    .argument('[component]', 'only of this component')
    .option('-f, --follow', 'go on until SIGINT')
    .option('-n, --lines <n>', 'last lines of each worker', parseCount, 20)
    .option('--state <folder>', 'the state folder of the supervisor (default: workers/ in .downspout)')
    .action(async (component: string | undefined, options: LogsOptions) => {
      const context = contextOf(options);
      const folder = logFolderOf(resolve(options.state ?? defaultStateFolder()));
      const followers = new Map<string, LogFollower>();
      const found = showNew(context.output, { folder, component, lines: options.lines }, followers);
      const others = await whereElse(context, component).catch(() => null);
      if (others !== null) context.output.note(others);
      if (!found) {
        throw new UserError(
          `There is no log${component === undefined ? '' : ` of ${component}`} in ${folder}. ` +
            '`downspout ps` says which workers run and on which hosts; --state names another state folder of a supervisor.',
        );
      }
      if (options.follow === true) await follow(context.output, { folder, component, lines: 0 }, followers);
    });
}

interface Wanted {
  readonly folder: string;
  readonly component: string | undefined;
  readonly lines: number;
}

/** Begins with the logs that are not followed yet. @returns whether any is there */
function showNew(output: Output, { folder, component, lines }: Wanted, followers: Map<string, LogFollower>): boolean {
  const names = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.log')) : [];
  for (const file of names.toSorted()) {
    const name = file.slice(0, -'.log'.length);
    if (followers.has(name) || (component !== undefined && name.replace(/-\d+$/, '') !== component)) continue;
    const { follower, last } = LogFollower.atEnd(join(folder, file), lines);
    followers.set(name, follower);
    for (const line of last) show(output, name, line);
  }
  return followers.size > 0;
}

async function follow(output: Output, wanted: Wanted, followers: Map<string, LogFollower>): Promise<void> {
  const end = new AbortController();
  listenForEnd('once', () => end.abort());
  while (!end.signal.aborted) {
    for (const [name, follower] of followers) for (const line of follower.read()) show(output, name, line);
    showNew(output, wanted, followers);
    await systemClock.sleep(LOOK_EVERY_MS, end.signal);
  }
}

function show(output: Output, name: string, line: string): void {
  output.line(`${output.colors.cyan(name)} | ${printable(line)}`);
}

/** Which workers write their logs elsewhere: on other hosts, or to another engine. Null when there are none. */
async function whereElse(context: VerbContext, component: string | undefined): Promise<string | null> {
  const [live, { placements, supervisors }] = await withPool(context, (pool) =>
    Promise.all([currentRelease(pool), readWhereabouts(pool)]),
  );
  const there = live === null ? null : elsewhere(live, 'logs', component);
  if (there !== null) return there;
  const others = placements.flatMap((one) => {
    const host = supervisors.find(({ id }) => id === one.supervisor)?.host;
    const isOther = host !== undefined && host !== hostname();
    return isOther && (component ?? one.component) === one.component ? [`${placementName(one)} on ${host}`] : [];
  });
  return others.length === 0 ? null : `Logs of other workers are where they run: ${others.join(', ')}.`;
}
