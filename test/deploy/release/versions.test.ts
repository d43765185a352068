import { isOlder } from '../../../deploy/release/versions';

test('versions in the order of their age', () => {
  const versions = ['0.9.0', '0.10.0', '1.0.0-alpha', '1.0.0-rc.2', '1.0.0-rc.10', '1.0.0', '1.0.1-rc.1', '1.10.0'];
  for (const [at, version] of versions.entries()) {
    expect(versions.filter((one) => isOlder(one, version))).toEqual(versions.slice(0, at));
  }
  expect(isOlder('1.0.0', '1.0.0+build.7') || isOlder('1.0.0+build.7', '1.0.0')).toBe(false);
});
