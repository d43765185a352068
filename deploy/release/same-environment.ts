import type { Release } from '../../connectors/mysql/operators/releases';
import { UserError } from '../../topology/core/errors';

type OfEnvironment = Pick<Release, 'number' | 'environment'>;

/** Of releases from before their environment was kept it is not known. @param wanted empty: topology.yaml alone */
export function isOtherEnvironment(wanted: string | null, { environment }: Pick<Release, 'environment'>): boolean {
  return wanted !== null && environment !== null && wanted !== environment;
}

/**
 * Why a topology file cannot be deployed over a release of another environment, or null: somebody who forgets `--environment` would
 * give what runs the settings of another one.
 * @param wanted of the file; empty: topology.yaml alone
 */
export function otherEnvironment(wanted: string, running: OfEnvironment): string | null {
  if (!isOtherEnvironment(wanted, running)) return null;
  const { number, environment } = running;
  const remedy =
    environment === ''
      ? 'Leave --environment and DOWNSPOUT_ENVIRONMENT out'
      : `Deploy with \`--environment ${environment}\``;
  return (
    `Release ${number} is of ${environmentText(environment)}, and this is of ${environmentText(wanted)}. ${remedy}; ` +
    'or add `--change-environment`, if it is to change.'
  );
}

/**
 * The environment of a release that deploys again what an earlier one said: that of the earlier one.
 * @param named by whoever deploys
 * @param live the release that runs: where the earlier one does not say its environment, it is that one's
 * @throws UserError when another one is named
 */
export function environmentAgain(
  { number, environment }: OfEnvironment,
  named: string | undefined,
  live: Pick<Release, 'environment'> | null,
): string | null {
  const own = environment ?? live?.environment ?? null;
  if (own === null) return named ?? null;
  if (named === undefined || named === own) return own;
  throw new UserError(
    `Release ${number} is of ${environmentText(own)}, and --environment or DOWNSPOUT_ENVIRONMENT names ${named}. Leave that out: ` +
      'a release is deployed again with the environment that it had.',
  );
}

/** For people. */
export function environmentText(environment: string | null): string {
  if (environment === null) return 'an environment that is not known';
  return environment === '' ? 'topology.yaml alone' : `the environment ${environment}`;
}
