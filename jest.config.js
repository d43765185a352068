const shared = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  transform: {
    '^.+\\.ts$': ['@swc/jest', { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, sourceMaps: 'inline' }],
  },
};
/** Tests on real parts: the stack is started once for all of them, and only when one of them is to run. */
const onStack = ['stack', 'connectors/mysql', 'connectors/kafka'].map((folder) => `<rootDir>/test/${folder}/`);
const withStack = {
  globalSetup: '<rootDir>/test/support/stack/global-setup.ts',
  globalTeardown: '<rootDir>/test/support/stack/global-teardown.ts',
};

/** @type {import('jest').Config} */
module.exports = {
  // Tests on the stack mostly wait; each has a database and topics of its own.
  maxWorkers: 2,
  // A process that has run many files keeps hundreds of megabytes, and a receiver in it was seen to stand still for seconds.
  workerIdleMemoryLimit: '400MB',
  // A machine that does other things beside is several times slower; a test that waits for ever ends here all the same.
  testTimeout: 30_000,
  projects: [
    {
      ...shared,
      displayName: 'alone',
      testMatch: ['<rootDir>/test/**/*.test.ts'],
      testPathIgnorePatterns: [...onStack, '<rootDir>/test/faults/', '<rootDir>/test/providers/'],
    },
    {
      ...shared,
      ...withStack,
      displayName: 'stack',
      testMatch: onStack.map((folder) => `${folder}**/*.test.ts`),
    },
    {
      ...shared,
      displayName: 'faults',
      // They break their stack, so it is their own.
      testMatch: ['<rootDir>/test/faults/**/*.test.ts'],
    },
    {
      ...shared,
      displayName: 'providers',
      // Their servers take minutes to be fetched and built: `npm run test:providers`.
      testMatch: ['<rootDir>/test/providers/*.test.ts'],
    },
    {
      ...shared,
      ...withStack,
      displayName: 'providers-stack',
      testMatch: ['<rootDir>/test/providers/stack/*.test.ts'],
    },
  ],
};
