import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

/** What the process is told. It answers each with `done`. */
export type PdsOrder = { readonly start: PdsStart } | { readonly aheadMs: number };

interface PdsStart {
  /** The folder with its packages. */
  readonly packages: string;
  /** An empty folder for what it keeps. */
  readonly data: string;
  readonly port: number;
  /** Of the directory that gives accounts their identities. */
  readonly plcPort: number;
  readonly adminPassword: string;
  /** Whether it limits what an account, or an address, may do. */
  readonly isLimited: boolean;
}

interface Startable {
  start(): Promise<unknown>;
}
interface PdsPackage {
  readonly PDS: { create(settings: object, secrets: object): Promise<Startable> };
  readonly envToCfg: (environment: object) => object;
  readonly envToSecrets: (environment: object) => object;
}
interface PlcPackage {
  readonly PlcServer: { create(options: object): Startable };
  readonly Database: { mock(): object };
}

const SECRET_BYTES = 32;

let aheadMs = 0;
const Right = Date;
/** So that sessions end while nobody waits for hours. */
globalThis.Date = class extends Right {
  constructor(...given: []) {
    if (given.length === 0) super(Right.now() + aheadMs);
    else super(...given);
  }

  static override now(): number {
    return Right.now() + aheadMs;
  }
} as DateConstructor;

function secret(): string {
  return randomBytes(SECRET_BYTES).toString('hex');
}

async function start({ packages, data, port, plcPort, adminPassword, isLimited }: PdsStart): Promise<void> {
  const load = createRequire(join(packages, 'package.json'));
  const { PlcServer, Database } = load('@did-plc/server') as PlcPackage;
  const { PDS, envToCfg, envToSecrets } = load('@atproto/pds') as PdsPackage;
  await PlcServer.create({ db: Database.mock(), port: plcPort }).start();
  const blobs = join(data, 'blobs');
  mkdirSync(blobs);
  const environment = {
    devMode: true,
    hostname: 'localhost',
    port,
    dataDirectory: data,
    blobstoreDiskLocation: blobs,
    didPlcUrl: `http://127.0.0.1:${plcPort}`,
    jwtSecret: secret(),
    dpopSecret: secret(),
    adminPassword,
    plcRotationKeyK256PrivateKeyHex: secret(),
    inviteRequired: false,
    rateLimitsEnabled: isLimited,
    crawlers: [],
    serviceHandleDomains: ['.test'],
    disableSsrfProtection: true,
  };
  const pds = await PDS.create(envToCfg(environment), envToSecrets(environment));
  await pds.start();
}

async function obey(order: PdsOrder): Promise<void> {
  if ('start' in order) await start(order.start);
  else aheadMs = order.aheadMs;
  process.send?.('done');
}

process.on('message', (order: PdsOrder) => {
  obey(order).catch((error: Error) => {
    process.stderr.write(`${error.stack}\n`);
    process.kill(process.pid, 'SIGKILL');
  });
});
// Nothing that it keeps is needed any more.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
