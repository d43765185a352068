import { isDeepStrictEqual } from 'node:util';
import type { NewRelease, Release } from '../../connectors/mysql/operators/releases';
import { settingsOrNull } from '../../topology/settings/topology-settings';
import { isOtherEnvironment } from './same-environment';

/** What is deployed would be the same, also where it is written in other words: a default that is written down is no change, as in the plan. */
export function isSameRelease(release: Release, wanted: NewRelease): boolean {
  const before = settingsOrNull(release.specification);
  return (
    before !== null &&
    isDeepStrictEqual(before, settingsOrNull(wanted.specification)) &&
    release.packageVersion === wanted.packageVersion &&
    release.image === wanted.image &&
    release.target === wanted.target &&
    !isOtherEnvironment(wanted.environment, release)
  );
}
