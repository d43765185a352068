import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Output } from '../../../deploy/console/output';
import { runDemo } from '../../../deploy/demo/demo';
import { DemoProviders } from '../../../deploy/demo/providers';
import { ReceiverProcess } from '../../../deploy/demo/receiver-process';
import { systemClock } from '../../../topology/core/clock';

jest.mock('../../../deploy/demo/workers', () => ({
  ...jest.requireActual<object>('../../../deploy/demo/workers'),
  DemoWorkers: class {
    async deploy() {
      throw new Error('the workers were not deployed');
    }
    async stop() {
      throw new Error('the database is away');
    }
  },
}));

/** Nothing answers there. */
const DATABASE_URL = 'mysql://a:b@127.0.0.1:1/d';

test('credentials of providers that are played are taken back where the workers cannot be stopped, and nothing stays open', async () => {
  const stackFolder = mkdtempSync(join(tmpdir(), 'downspout-demo-'));
  const ended: string[] = [];
  const end = (what: string) => async () => void ended.push(what);
  jest
    .spyOn(DemoProviders, 'start')
    .mockResolvedValue({ disconnect: end('credentials'), close: end('providers') } as unknown as DemoProviders);
  jest.spyOn(ReceiverProcess, 'start').mockResolvedValue({ stop: end('receiver') } as unknown as ReceiverProcess);
  const output = new Output({ json: true });
  jest.spyOn(output, 'line').mockImplementation(() => undefined);
  try {
    const demo = runDemo({
      clock: systemClock,
      output,
      seed: 1,
      settings: {
        DATABASE_URL,
        OPERATOR_DATABASE_URL: DATABASE_URL,
        DOWNSPOUT_SECRET_KEY: Buffer.alloc(32).toString('base64'),
      },
      stackFolder,
      signal: new AbortController().signal,
      keep: false,
    });
    await expect(demo).rejects.toThrow('the database is away');
    expect(ended).toEqual(['credentials', 'receiver', 'providers']);
  } finally {
    rmSync(stackFolder, { recursive: true, force: true });
    jest.restoreAllMocks();
  }
});
