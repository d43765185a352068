import { Resolver } from 'node:dns/promises';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  NameFailed,
  NameResolver,
  NameUnknown,
  ResolverSilent,
} from '../../../../connectors/channels/http/name-resolver';
import { systemClock } from '../../../../topology/core/clock';
import { NameServer } from './name-server';

let server: NameServer;
let folder: string;
let now: number;
let opened: NameResolver[];

beforeEach(async () => {
  server = await NameServer.start();
  folder = mkdtempSync(join(tmpdir(), 'downspout-names-'));
  now = 0;
  opened = [];
});
afterEach(async () => {
  for (const one of opened) one.close();
  rmSync(folder, { recursive: true });
  await server.close();
});

interface Machine {
  readonly hosts?: string;
  readonly resolvConf?: string;
  /** Its servers, in order; one unless given. */
  readonly servers?: readonly NameServer[];
  readonly limitMs?: number;
}

/** A resolver of node's waits for a server for a quarter of a second at least. */
const LIMIT_FOR_TWO_MS = 1_500;

function resolver(files: Machine = {}): NameResolver {
  const hostsFile = join(folder, 'hosts');
  const resolvConf = join(folder, 'resolv.conf');
  writeFileSync(hostsFile, files.hosts ?? '');
  writeFileSync(resolvConf, files.resolvConf ?? '');
  const { servers } = files;
  const ofMachine = jest.spyOn(Resolver.prototype, 'getServers');
  ofMachine.mockReturnValue(servers?.map(({ address }) => address) ?? []);
  const made = new NameResolver({
    clock: { monotonic: () => now, after: (delay, run) => systemClock.after(delay, run) },
    server: servers === undefined ? server.address : undefined,
    limitMs: files.limitMs ?? 300,
    hostsFile,
    resolvConf,
  });
  ofMachine.mockRestore();
  opened.push(made);
  return made;
}

const at = (...addresses: string[]) => addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));

test("one account's names delay nobody else's: names that nobody answers for are asked for a few at a time", async () => {
  const names = resolver();
  server.names.set('good.test', ['203.0.113.7']);
  const dead = Array.from({ length: 100 }, (_, n) => names.resolve(`dead${n}.test`, 'evil'));
  const silent = Promise.allSettled(dead);
  await server.until(() => server.asked.length >= 16);
  expect(await names.resolve('good.test', 'other')).toEqual(at('203.0.113.7'));
  expect(new Set(server.asked).size).toBe(17);
  for (const { reason } of (await silent) as PromiseRejectedResult[]) expect(reason).toBeInstanceOf(ResolverSilent);
});

test("one account's names delay nobody else's: beyond a bound they do not even wait", async () => {
  const names = resolver();
  const wanted = Array.from({ length: 273 }, (_, n) => names.resolve(`dead${n}.test`, 'evil'));
  const [last] = await Promise.allSettled(wanted.slice(-1));
  expect(last).toMatchObject({ reason: { name: 'ResolverSilent', message: expect.stringContaining('too many') } });
  server.names.set('good.test', ['203.0.113.7']);
  expect(await names.resolve('good.test', 'other')).toEqual(at('203.0.113.7'));
  names.close();
  for (const { reason } of (await Promise.allSettled(wanted)) as PromiseRejectedResult[]) {
    expect(reason).toBeInstanceOf(ResolverSilent);
  }
});

describe('an answer is kept for a short time, a refusal too:', () => {
  test('names that were found', async () => {
    const names = resolver();
    server.names.set('a.test', ['203.0.113.7', '203.0.113.8']);
    expect(await names.resolve('a.test', 'shop')).toEqual(at('203.0.113.7', '203.0.113.8'));
    expect(await names.resolve('a.test', 'another')).toEqual(at('203.0.113.7', '203.0.113.8'));
    expect(server.asked).toEqual(['a.test']);
    server.names.set('a.test', ['203.0.113.9']);
    now = 30_001;
    expect(await names.resolve('a.test', 'shop')).toEqual(at('203.0.113.9'));
  });

  test('a name in use is asked for again before its time is over, and nobody waits for that', async () => {
    const names = resolver();
    server.names.set('a.test', ['203.0.113.7']);
    await names.resolve('a.test', 'shop');
    server.names.set('a.test', ['203.0.113.9']);
    now = 20_000;
    expect(await names.resolve('a.test', 'shop')).toEqual(at('203.0.113.7'));
    await server.until(() => server.asked.length === 2);
    now = 31_000;
    expect(await names.resolve('a.test', 'shop')).toEqual(at('203.0.113.9'));
    expect(server.asked).toHaveLength(2);
  });

  test('names that do not exist, and names that nobody answers for', async () => {
    const names = resolver();
    server.names.set('gone.test', []);
    for (let n = 0; n < 3; n++) {
      await expect(names.resolve('gone.test', 'shop')).rejects.toThrow(NameUnknown);
      await expect(names.resolve('dead.test', 'shop')).rejects.toThrow(ResolverSilent);
    }
    expect(server.asked.filter((name) => name === 'gone.test')).toHaveLength(1);
    // The resolver may try twice, and what comes of it counts for all three.
    expect(server.asked.filter((name) => name === 'dead.test').length).toBeLessThanOrEqual(2);
    now = 5_001;
    server.names.set('dead.test', ['203.0.113.7']);
    expect(await names.resolve('dead.test', 'shop')).toEqual(at('203.0.113.7'));
  });

  test('one question at a time for a name, whoever asks', async () => {
    const names = resolver();
    server.names.set('a.test', ['203.0.113.7']);
    await Promise.all(['a', 'b', 'c', 'a'].map((account) => names.resolve('a.test', account)));
    expect(server.asked).toEqual(['a.test']);
  });
});

describe('a resolver that does not answer is told apart from a name that does not exist:', () => {
  test('also when it says that it has a problem', async () => {
    const names = resolver();
    server.names.set('lame.test', 'failure');
    await expect(names.resolve('lame.test', 'shop')).rejects.toThrow(ResolverSilent);
  });

  test('one that has a problem with a name and tells of others leaves no doubt that it is the name', async () => {
    const names = resolver();
    server.names.set('lame.test', 'failure').set('good.test', ['203.0.113.7']);
    await names.resolve('good.test', 'shop');
    await expect(names.resolve('lame.test', 'shop')).rejects.toThrow(NameFailed);
    await expect(names.resolve('lame.test', 'shop')).rejects.toThrow('ESERVFAIL');
    // Said a while ago, it is asked for again.
    now = 6_000;
    server.names.set('good.test', 'failure');
    await expect(names.resolve('lame.test', 'shop')).rejects.toThrow(ResolverSilent);
    now = 12_000;
    server.names.set('good.test', ['203.0.113.7']);
    await expect(names.resolve('lame.test', 'shop')).rejects.toThrow(NameFailed);
  });

  test('one that has told of nothing but the name itself may have a problem of its own', async () => {
    const names = resolver();
    server.names.set('a.test', ['203.0.113.7']);
    await names.resolve('a.test', 'shop');
    server.names.set('a.test', 'failure');
    now = 400_000;
    await expect(names.resolve('a.test', 'shop')).rejects.toThrow(ResolverSilent);
  });

  test('one that is silent about a name may be away, though it told of others a moment ago', async () => {
    const names = resolver();
    server.names.set('good.test', ['203.0.113.7']);
    await names.resolve('good.test', 'shop');
    await expect(names.resolve('dead.test', 'shop')).rejects.toThrow(ResolverSilent);
  });

  test('a name that no resolver can be asked for does not exist', async () => {
    await expect(resolver().resolve('a,b.test', 'shop')).rejects.toThrow(NameUnknown);
    expect(server.asked).toEqual([]);
  });

  test('addresses that were known before are used for some minutes', async () => {
    const names = resolver();
    server.names.set('a.test', ['203.0.113.7']);
    await names.resolve('a.test', 'shop');
    server.names.delete('a.test');
    now = 31_000;
    expect(await names.resolve('a.test', 'shop')).toEqual(at('203.0.113.7'));
    server.names.set('a.test', 'failure').set('good.test', ['203.0.113.8']);
    await names.resolve('good.test', 'shop');
    now = 37_000;
    expect(await names.resolve('a.test', 'shop')).toEqual(at('203.0.113.7'));
    server.names.delete('a.test');
    now = 331_000;
    await expect(names.resolve('a.test', 'shop')).rejects.toThrow(ResolverSilent);
    expect(names.known('a.test')).toBeUndefined();
  });
});

describe('servers that answer with an error are followed by the next one, as for any other program of the machine:', () => {
  let second: NameServer;
  beforeEach(async () => {
    second = await NameServer.start();
  });
  afterEach(() => second.close());

  test.each(['failure', 'refused', 'unable', 'malformed'] as const)('the first one says %s', async (word) => {
    const names = resolver({ servers: [server, second] });
    for (const name of ['a.test', 'b.test']) {
      server.names.set(name, word);
      second.names.set(name, ['203.0.113.7']);
      expect(await names.resolve(name, 'shop')).toEqual(at('203.0.113.7'));
    }
    // It said so of the name, and is asked first for the next one.
    expect(new Set(server.asked)).toEqual(new Set(['a.test', 'b.test']));
  });

  test('a name that the first one cannot tell keeps no other name from it', async () => {
    const names = resolver({ servers: [server, second] });
    server.names.set('odd.test', 'failure').set('inside.test', ['10.0.0.7']);
    second.names.set('odd.test', ['203.0.113.7']).set('inside.test', []);
    expect(await names.resolve('odd.test', 'other')).toEqual(at('203.0.113.7'));
    expect(await names.resolve('inside.test', 'shop')).toEqual(at('10.0.0.7'));
  });

  test('one that was silent is asked after the others for a while, and then first again', async () => {
    const names = resolver({ servers: [server, second], limitMs: LIMIT_FOR_TWO_MS });
    for (const name of ['a.test', 'b.test', 'c.test']) second.names.set(name, ['203.0.113.7']);
    await names.resolve('a.test', 'shop');
    await names.resolve('b.test', 'shop');
    expect(server.asked).not.toContain('b.test');
    now = 6_000;
    await names.resolve('c.test', 'shop');
    expect(server.asked).toContain('c.test');
  });

  test('the first one is silent, and so is the second one later', async () => {
    const names = resolver({ servers: [server, second], limitMs: LIMIT_FOR_TWO_MS });
    second.names.set('a.test', ['203.0.113.7']);
    expect(await names.resolve('a.test', 'shop')).toEqual(at('203.0.113.7'));
    server.names.set('b.test', ['203.0.113.8']);
    expect(await names.resolve('b.test', 'shop')).toEqual(at('203.0.113.8'));
  });

  test('that a name does not exist is an answer, whoever gives it', async () => {
    const names = resolver({ servers: [server, second] });
    server.names.set('gone.test', []);
    second.names.set('gone.test', ['203.0.113.7']);
    await expect(names.resolve('gone.test', 'shop')).rejects.toThrow(NameUnknown);
    expect(second.asked).toEqual([]);
  });

  test('when all answer so, or nothing, the name is not known to be wrong', async () => {
    const names = resolver({ servers: [server, second], limitMs: LIMIT_FOR_TWO_MS });
    server.names.set('a.test', 'failure');
    await expect(names.resolve('a.test', 'shop')).rejects.toThrow(ResolverSilent);
    await expect(names.resolve('a.test', 'shop')).rejects.toThrow('ESERVFAIL');
    expect(new Set(second.asked)).toEqual(new Set(['a.test']));
  });

  test('a search domain that answers so ends no search', async () => {
    const names = resolver({ resolvConf: 'search corp.test dead.test\noptions ndots:5\n', servers: [server] });
    for (const domain of ['corp.test', 'dead.test']) server.names.set(`api.hooks.test.${domain}`, 'failure');
    // Where nothing is found, the name may still be one of the domain that did not tell.
    server.names.set('gone.test.corp.test', 'failure').set('gone.test.dead.test', []).set('gone.test', []);
    await expect(names.resolve('gone.test', 'shop')).rejects.toThrow(ResolverSilent);
    server.names.set('api.hooks.test', ['203.0.113.7']);
    expect(await names.resolve('api.hooks.test', 'shop')).toEqual(at('203.0.113.7'));
  });
});

test.each([
  [4, '2001:db8::7'],
  [6, '203.0.113.7'],
] as const)('of IPv%i nobody tells, and the addresses of the other family are used', async (family, address) => {
  const names = resolver();
  server.names.set(
    'empty.test',
    ['203.0.113.7', '2001:db8::7'].filter((one) => at(one)[0]?.family === family),
  );
  server.failing.set('empty.test', family);
  await expect(names.resolve('empty.test', 'shop')).rejects.toThrow(ResolverSilent);
  server.names.set('a.test', [address]);
  server.failing.set('a.test', family);
  expect(await names.resolve('a.test', 'shop')).toEqual(at(address));
});

describe('the hosts file, localhost and search domains count:', () => {
  test('the hosts file goes before the resolver, and is read again when it changes', async () => {
    const names = resolver({
      hosts: '# comment\n203.0.113.1 Mine.test mine # mine\n2001:db8::1 mine.test\nbad line\n',
    });
    expect(await names.resolve('mine.test', 'shop')).toEqual(at('203.0.113.1', '2001:db8::1'));
    expect(await names.resolve('mine', 'shop')).toEqual(at('203.0.113.1'));
    writeFileSync(join(folder, 'hosts'), '203.0.113.22 mine.test\n');
    now = 5_001;
    expect(await names.resolve('mine.test', 'shop')).toEqual(at('203.0.113.22'));
    expect(server.asked).toEqual([]);
  });

  test('localhost is this machine, though no file says so', async () => {
    const names = resolver();
    expect(await names.resolve('localhost', 'shop')).toEqual(at('127.0.0.1', '::1'));
    expect(await names.resolve('app.localhost', 'shop')).toEqual(at('127.0.0.1', '::1'));
    expect(server.asked).toEqual([]);
  });

  test('a short name is tried with the search domains first, one with enough dots as it is', async () => {
    const names = resolver({
      resolvConf: 'nameserver 192.0.2.1\nsearch one.test two.test\noptions timeout:1 ndots:2\n',
    });
    for (const name of ['api', 'api.one.test', 'a.b.c', 'a.b.c.one.test']) server.names.set(name, []);
    server.names.set('api.two.test', ['203.0.113.2']);
    server.names.set('a.b.c.two.test', ['203.0.113.3']);
    expect(await names.resolve('api', 'shop')).toEqual(at('203.0.113.2'));
    expect(await names.resolve('a.b.c', 'shop')).toEqual(at('203.0.113.3'));
    expect(server.asked).toEqual(['api.one.test', 'api.two.test', 'a.b.c', 'a.b.c.one.test', 'a.b.c.two.test']);
  });

  test('a name that ends with a dot is tried as it is alone', async () => {
    const names = resolver({ resolvConf: 'search one.test\n' });
    server.names.set('api', []);
    await expect(names.resolve('api.', 'shop')).rejects.toThrow(NameUnknown);
    expect(server.asked).toEqual(['api']);
  });
});

test('names of one account that are kept do not push out those of others', async () => {
  const names = resolver();
  server.names.set('mine.test', ['203.0.113.7']);
  await names.resolve('mine.test', 'shop');
  for (let n = 0; n < 510; n++) server.names.set(`n${n}.test`, ['203.0.113.8']);
  for (let n = 0; n < 510; n++) await names.resolve(`n${n}.test`, 'evil');
  expect(names.known('mine.test')).toEqual(at('203.0.113.7'));
  expect(names.known('n0.test')).toBeUndefined();
  expect(names.known('n509.test')).toEqual(at('203.0.113.8'));
});

test('a name that two accounts use is not pushed out by one of them, even by the one that asked for it', async () => {
  const names = resolver();
  server.names.set('shared.test', ['203.0.113.7']);
  await names.resolve('shared.test', 'evil');
  await names.resolve('shared.test', 'shop');
  for (let n = 0; n < 510; n++) server.names.set(`n${n}.test`, ['203.0.113.8']);
  for (let n = 0; n < 510; n++) await names.resolve(`n${n}.test`, 'evil');
  expect(names.known('shared.test')).toEqual(at('203.0.113.7'));
});

test('a connection gets the answer that is kept, and what it finds is kept only in place of one', async () => {
  const names = resolver();
  server.names.set('a.test', ['203.0.113.7']);
  server.names.set('gone.test', []);
  expect(await names.resolveForConnection('a.test')).toEqual(at('203.0.113.7'));
  expect(names.known('a.test')).toBeUndefined();
  await names.resolve('a.test', 'shop');
  await names.resolve('gone.test', 'shop').catch(() => undefined);
  const before = server.asked.length;
  expect(await names.resolveForConnection('a.test')).toEqual(at('203.0.113.7'));
  await expect(names.resolveForConnection('gone.test')).rejects.toThrow(NameUnknown);
  expect(server.asked).toHaveLength(before);
  now = 400_000;
  server.names.set('a.test', ['203.0.113.9']);
  expect(await names.resolveForConnection('a.test')).toEqual(at('203.0.113.9'));
  expect(names.known('a.test')).toEqual(at('203.0.113.9'));
});

test('of a name that has very many addresses only some are kept', async () => {
  const names = resolver();
  const many = Array.from({ length: 60 }, (_, n) => `203.0.113.${n}`);
  server.names.set('many.test', many);
  expect(await names.resolve('many.test', 'shop')).toEqual(at(...many.slice(0, 32)));
});
