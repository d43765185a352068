import { existsSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { formatDuration } from '../../../deploy/console/units';
import { Cache, cacheFolder } from '../../../deploy/stack/fetch/cache';
import { onPath, run } from '../../../deploy/stack/host/commands';
import { systemClock } from '../../../topology/core/clock';
import { UserError } from '../../../topology/core/errors';
import { readStackVariables } from '../../../topology/settings/environment';

/** The last one that Node 20 runs. */
const PDS_VERSION = '0.4.217';
/** Gives accounts their identities, and keeps them in memory. */
const PLC_VERSION = '0.0.1';
/** The one among those that the server allows which runs on every version of Node that Downspout runs on. */
const SQLITE_VERSION = '12.11.1';
const MAILPIT_VERSION = 'v1.33.1';

/** How often a line says that a download goes on, milliseconds. */
const PROGRESS_MS = 20_000;

/** Takes a line about what is going on. */
type Say = (text: string) => void;

/** The folder with Bluesky's own server. @throws UserError with npm's last lines; the signal's reason */
export function fetchPds(say: Say, signal?: AbortSignal): Promise<string> {
  const name = `pds-${PDS_VERSION}-node-${process.versions.modules}`;
  return obtain(name, `Bluesky's server ${PDS_VERSION}: fetching and building it, 2 to 5 min`, say, async (folder) => {
    const manifest = {
      private: true,
      dependencies: { '@atproto/pds': PDS_VERSION, '@did-plc/server': PLC_VERSION },
      overrides: { 'better-sqlite3': SQLITE_VERSION },
      allowScripts: { 'better-sqlite3': true },
    };
    writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
    const flags = ['--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'];
    await run('npm', ['install', ...flags], { cwd: folder, settings: headersHere(), signal });
  });
}

/** The program Mailpit. @throws UserError with Go's last lines, or naming what to install; the signal's reason */
export async function fetchMailpit(say: Say, signal?: AbortSignal): Promise<string> {
  const name = `mailpit-${MAILPIT_VERSION}`;
  const what = `Mailpit ${MAILPIT_VERSION}: fetching and building it, 2 to 5 min`;
  const folder = await obtain(name, what, say, (empty) => buildMailpit(empty, signal));
  return join(folder, 'mailpit');
}

async function buildMailpit(folder: string, signal: AbortSignal | undefined): Promise<void> {
  if ((await onPath('go')) === null) {
    throw new UserError('Go is needed to build Mailpit and there is no `go` on the PATH. Install Go.');
  }
  const settings = { GOBIN: folder, CGO_ENABLED: '0' };
  await run('go', ['install', `github.com/axllent/mailpit@${MAILPIT_VERSION}`], { cwd: folder, settings, signal });
}

/** A native package is built against the headers of this Node, where they are beside it, so that they need not be fetched. */
function headersHere(): Readonly<Record<string, string>> {
  const root = dirname(dirname(process.execPath));
  return existsSync(join(root, 'include', 'node', 'node.h')) ? { npm_config_nodedir: root } : {};
}

async function obtain(name: string, what: string, say: Say, fill: (folder: string) => Promise<void>): Promise<string> {
  const startedAt = systemClock.monotonic();
  const passed = () => formatDuration(systemClock.monotonic() - startedAt);
  const ended = new AbortController();
  const report = async () => {
    for (;;) {
      await systemClock.sleep(PROGRESS_MS, ended.signal);
      if (ended.signal.aborted) return;
      say(`… ${passed()}`);
    }
  };
  let reporting: Promise<void> | undefined;
  try {
    const folder = await new Cache(cacheFolder(readStackVariables()), systemClock).obtain(name, fill, () => {
      say(what);
      reporting ??= report();
    });
    if (reporting !== undefined) say(`it is there, after ${passed()}`);
    return folder;
  } finally {
    ended.abort();
    await reporting;
  }
}
