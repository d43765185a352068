import { reasonOf, UserError } from '../../../topology/core/errors';
import { type Environment, readEnvironment } from '../../../topology/settings/environment';
import { openSettingNames } from '../worker-settings';

/** A file of settings that pods read. */
export interface SettingsFile {
  readonly path: string;
  readonly text: string;
}

/**
 * What pods have that read these files, a later one over an earlier one: of what is not secret nothing but that, because the
 * environment of whoever renders does not reach a cluster.
 * @param environment has what is secret
 * @throws UserError naming the file and the setting that is wrong in it
 */
export function settingsOfPods(
  { WORKER_DATABASE_URL }: Pick<Environment, 'WORKER_DATABASE_URL'>,
  files: readonly SettingsFile[],
): Environment {
  const settings: Record<string, string> = {};
  for (const file of files) {
    const own = settingsIn(file.text);
    understood(own, file.path);
    Object.assign(settings, own);
  }
  const open = readEnvironment({}, settings);
  return WORKER_DATABASE_URL === undefined ? open : { ...open, WORKER_DATABASE_URL };
}

/** The open settings of a file as Kustomize reads it: `NAME=value`, nothing is quoted, and `#` begins a comment. */
function settingsIn(text: string): Record<string, string> {
  const names = new Set(openSettingNames());
  const settings: Record<string, string> = {};
  for (const line of text.split(/\r?\n/)) {
    const [, name, value] = /^\s*(\w+)=(.*)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined && names.has(name)) settings[name] = value;
  }
  return settings;
}

/** @throws UserError */
function understood(settings: NodeJS.ProcessEnv, path: string): void {
  try {
    readEnvironment({}, settings);
  } catch (error) {
    const text = reasonOf(error).replaceAll(/ Change the environment variable (\w+)\./g, ' Change $1 there.');
    throw new UserError(`${path}: ${text}`);
  }
}
