import { environmentAgain, otherEnvironment } from '../../../deploy/release/same-environment';

const of = (environment: string | null, number = 7) => ({ number, environment });

test('a topology file of another environment than what runs is refused, and what to name is said', () => {
  expect(otherEnvironment('', of('production'))).toBe(
    'Release 7 is of the environment production, and this is of topology.yaml alone. Deploy with `--environment production`; ' +
      'or add `--change-environment`, if it is to change.',
  );
  expect(otherEnvironment('staging', of('production'))).toMatch(/ of the environment staging\. .*`--environment prod/);
  expect(otherEnvironment('production', of(''))).toMatch(
    /^Release 7 is of topology\.yaml alone, .*production\. Leave --environment and DOWNSPOUT_ENVIRONMENT out; or/,
  );
});

test('the same environment is no other one, and of a release from before it was kept nothing is known', () => {
  for (const environment of ['production', '']) {
    expect(otherEnvironment(environment, of(environment))).toBeNull();
    expect(otherEnvironment(environment, of(null))).toBeNull();
  }
});

test('a release is deployed again with the environment that it had, whoever names none', () => {
  expect(environmentAgain(of('production'), undefined, of('staging', 9))).toBe('production');
  expect(environmentAgain(of('production'), 'production', null)).toBe('production');
  expect(environmentAgain(of(''), undefined, of('staging', 9))).toBe('');
});

test('another environment is refused for a release that is deployed again', () => {
  expect(() => environmentAgain(of('production', 3), 'staging', null)).toThrow(
    /^Release 3 is of the environment production, and --environment or DOWNSPOUT_ENVIRONMENT names staging\. Leave that out/,
  );
  expect(() => environmentAgain(of('', 3), 'staging', null)).toThrow(/^Release 3 is of topology\.yaml alone, and/);
});

test('where a release does not say its environment, it is that of what runs, and else the one that is named', () => {
  expect(environmentAgain(of(null), undefined, of('production'))).toBe('production');
  expect(() => environmentAgain(of(null), 'staging', of('production'))).toThrow(/is of the environment production/);
  expect(environmentAgain(of(null), 'staging', of(null))).toBe('staging');
  expect(environmentAgain(of(null), undefined, null)).toBeNull();
});
