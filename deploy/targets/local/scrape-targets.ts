import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** In a state folder: where its workers serve their figures, as a Prometheus on this host reads it (`file_sd_configs`). */
const TARGETS_FILE = 'targets.json';
/** What an earlier version wrote for all supervisors of a local stack. */
const BEFORE = 'workers.json';

export interface ScrapeTargetsOptions {
  /** The supervisor's. */
  readonly stateFolder: string;
  readonly supervisor: string;
  /** The local stack's folder, whose Prometheus is told too; null where there is none. */
  readonly stackFolder: string | null;
}

/**
 * Tells Prometheus where the workers of this host are: by a file of the state folder, and by one of the local stack.
 * @returns is given their addresses each time, and throws when a file cannot be written
 */
export function scrapeTargets(options: ScrapeTargetsOptions): (urls: readonly string[]) => void {
  const { stateFolder, supervisor, stackFolder } = options;
  const ofStack = join(stackFolder ?? '', 'prometheus', 'targets');
  const hasStack = stackFolder !== null && existsSync(ofStack);
  const files = [
    join(stateFolder, TARGETS_FILE),
    // Several supervisors may run on one stack.
    ...(hasStack ? [join(ofStack, `workers-${supervisor}.json`)] : []),
  ];
  let written = '';
  return (urls) => {
    const text = `${JSON.stringify([{ targets: urls.map((url) => new URL(url).host) }])}\n`;
    if (text === written) return;
    if (hasStack) rmSync(join(ofStack, BEFORE), { force: true });
    for (const file of files) {
      if (urls.length === 0) rmSync(file, { force: true });
      else writeFileSync(file, text);
    }
    written = text;
  };
}
