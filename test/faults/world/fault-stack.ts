import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NativeStack } from '../../../deploy/stack/native-stack';
import { ConnectPart } from '../../../deploy/stack/parts/connect-part';
import { KafkaPart, kafkaJars } from '../../../deploy/stack/parts/kafka-part';
import { MySqlPart } from '../../../deploy/stack/parts/mysql-part';
import type { Part, PartContext } from '../../../deploy/stack/parts/part';
import { systemClock } from '../../../topology/core/clock';
import { packageRoot } from '../../../topology/settings/package';
import { FaultProxy } from '../../support/stack/fault-proxy';
import { testStackVariables } from '../../support/stack/shared-stack';
import { until } from '../../support/until';

export type PartName = 'mysql' | 'kafka' | 'connect';

export const faultsFolder = join(packageRoot(), '.downspout', 'faults');

/** A stack whose parts die. Workers reach MySQL and Kafka through a network whose faults are made by hand. */
export class FaultStack {
  private constructor(
    private readonly whole: NativeStack,
    /** The settings of clients: Kafka through the network whose faults are made, everything else directly. */
    readonly settings: Readonly<Record<string, string>>,
    readonly network: Readonly<Record<'mysql' | 'kafka', FaultProxy>>,
  ) {}

  /** @param say takes a line about what is going on */
  static async start(say: (text: string) => void): Promise<FaultStack> {
    const network = { mysql: await FaultProxy.start(), kafka: await FaultProxy.start() };
    const stack = nativeStack((context) => partsOf(context, network));
    await stack.down(true, () => undefined);
    const settings = await stack.up(({ part, stage, text }) => {
      if (stage !== 'starting') say(`${part}: ${text}`);
    });
    return new FaultStack(stack, { ...settings, KAFKA_BROKERS: `127.0.0.1:${network.kafka.port}` }, network);
  }

  /** The settings as workers have them. */
  get settingsOfWorkers(): Readonly<Record<string, string>> {
    const url = new URL(this.settings['WORKER_DATABASE_URL'] as string);
    url.port = String(this.network.mysql.port);
    return { ...this.settings, WORKER_DATABASE_URL: url.href };
  }

  /** Ends a part without warning; it stays down until `restart`. */
  async kill(name: PartName): Promise<void> {
    this.signal(name, 'SIGKILL');
    await until(`${name} is gone`, () => !this.isAlive(name));
  }

  isAlive(name: PartName): boolean {
    return this.running(name)?.alive === true;
  }

  pidOf(name: PartName): number {
    const part = this.running(name);
    if (part?.alive !== true) throw new Error(`${name} does not run`);
    return part.pid;
  }

  signal(name: PartName, signal: NodeJS.Signals): void {
    process.kill(this.pidOf(name), signal);
  }

  /** What an engine does when a part died: starts it again, and leaves the others alone. */
  async restart(name: PartName): Promise<void> {
    await nativeStack((context) => partsOf(context, this.network).filter((part) => part.name === name)).up(
      () => undefined,
    );
  }

  /** Data and logs stay until the next start, to be looked at. */
  async stop(): Promise<void> {
    await this.whole.down(false, () => undefined);
    await Promise.all([this.network.mysql.close(), this.network.kafka.close()]);
  }

  private running(name: PartName) {
    return this.whole.running().find(({ part }) => part === name);
  }
}

function nativeStack(parts: (context: PartContext) => readonly Part[]): NativeStack {
  return new NativeStack({ folder: faultsFolder, clock: systemClock, variables: testStackVariables(), parts });
}

function partsOf(context: PartContext, network: FaultStack['network']): Part[] {
  const { mysql = 0, kafka = 0 } = context.ports;
  network.mysql.target = mysql;
  network.kafka.target = kafka;
  const jars = kafkaJars(context);
  return [
    new MySqlPart(context, 'mysql'),
    advertised(new KafkaPart(context, jars), context.folder, kafka, network.kafka.port),
    new ConnectPart(context, jars),
  ];
}

/** Clients connect to the address that the broker advertises: the proxy, not its own port. */
function advertised(part: KafkaPart, folder: string, own: number, port: number): Part {
  const { prepare } = part;
  const prepareAdvertised: Part['prepare'] = async () => {
    const program = await prepare();
    const file = join(folder, 'kafka', 'server.properties');
    const listener = `advertised.listeners=HOST://127.0.0.1:${own},`;
    const text = readFileSync(file, 'utf8');
    if (!text.includes(listener)) throw new Error(`${file} does not say ${listener}`);
    writeFileSync(file, text.replace(listener, `advertised.listeners=HOST://127.0.0.1:${port},`));
    return program;
  };
  return Object.assign(part, { prepare: prepareAdvertised });
}
