import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ComposeStack } from '../../../deploy/stack/compose-stack';
import type { PartEvent } from '../../../deploy/stack/stack';

let folder: string;
let calls: string[];
let environment: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'compose-'));
  calls = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function stack(variables: Readonly<Record<string, string>> = {}): ComposeStack {
  return new ComposeStack({ folder, variables }, async (command, args) => {
    calls.push([command, ...args].join(' '));
    environment = readFileSync(join(folder, 'compose.env'), 'utf8');
    return '';
  });
}

describe('ComposeStack', () => {
  it('starts the containers, waits for their health, and knows both sides of their addresses', async () => {
    const events: PartEvent[] = [];
    const settings = await stack({ MYSQL_PORT: '4406', MYSQL_ROOT_PASSWORD: 'it is secret' }).up((event) =>
      events.push(event),
    );
    expect(calls).toHaveLength(1);
    expect(calls[0]).toMatch(/^docker compose .*docker-compose\.yml .* up --detach --wait/);
    expect(environment).toContain("MYSQL_PORT='4406'");
    expect(settings).toMatchObject({
      ADMIN_DATABASE_URL: 'mysql://root:it%20is%20secret@127.0.0.1:4406/downspout',
      KAFKA_BROKERS: '127.0.0.1:9092',
      CONNECT_KAFKA_BROKERS: 'kafka:9094',
      KAFKA_UI_URL: 'http://127.0.0.1:8080',
      GRAFANA_URL: 'http://127.0.0.1:3000',
    });
    expect(settings['CDC_DATABASE_URL']).toContain('@mysql:3306/');
    expect(events.filter(({ stage }) => stage === 'ready').map(({ part }) => part)).toEqual(
      expect.arrayContaining(['mysql', 'kafka', 'connect', 'kafka-ui', 'prometheus', 'grafana']),
    );
  });

  it('keeps the passwords from one start to the next', async () => {
    const first = await stack().up(() => undefined);
    expect(await stack().up(() => undefined)).toEqual(first);
  });

  it('stops the containers, and removes their volumes only when told to', async () => {
    await stack().up(() => undefined);
    await stack().down(false, () => undefined);
    expect(calls.at(-1)).toMatch(/ down$/);
    expect(existsSync(join(folder, 'env.json'))).toBe(true);
    await stack().down(true, () => undefined);
    expect(calls.at(-1)).toMatch(/ down --volumes$/);
    expect(existsSync(join(folder, 'env.json'))).toBe(false);
  });
});
