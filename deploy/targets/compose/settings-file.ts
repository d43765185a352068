import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { composeQuoted } from '../../stack/compose-env';
import { neededSettings } from '../worker-settings';

/** What workers find in their environment. It is written once and belongs to people then. */
export const SETTINGS_FILE = 'workers.env';

/**
 * A line of the file. Without quotes Docker Compose puts variables in place of what follows a dollar sign, and leaves out what follows a #.
 * @throws UserError naming the setting, without its value
 */
export function settingsLine(name: string, value: string): string {
  return `${name}=${/^(?!['"])[^\s$#]*$/.test(value) ? value : composeQuoted(name, value)}`;
}

/** What the file of settings in a folder lacks, so that no worker could run: a sentence, and what to do. Null when it has all. */
export function lackingSettings(folder: string): string | null {
  const file = join(folder, SETTINGS_FILE);
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const lacks = neededSettings.filter((name) => !new RegExp(`^\\s*(?:export\\s+)?${name}\\s*=\\s*\\S`, 'm').test(text));
  if (lacks.length === 0) return null;
  return (
    `${file} lacks ${lacks.join(' and ')}, without which no worker runs. Write ${lacks.length === 1 ? 'it' : 'them'} into the file, as ` +
    'containers see the parts; or remove the file, and it is written again from the settings of whoever renders or deploys.'
  );
}
