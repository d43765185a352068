import { promises } from 'node:dns';
import { HangingHosts, Host } from './hosts';
import { SilentResolver } from './silent-resolver';

/** Whether a request is answered within so many milliseconds. */
async function isAnswered(url: string, withinMs: number): Promise<boolean> {
  try {
    await fetch(url, { method: 'POST', body: 'x', signal: AbortSignal.timeout(withinMs) });
    return true;
  } catch {
    return false;
  }
}

test('a host accepts, echoes or hangs by its path, and counts what it accepted', async () => {
  const host = await Host.start();
  try {
    const headers = { 'idempotency-key': 'k', 'x-tag': 't', 'x-due-at': '1' };
    const echo = await fetch(host.urlOf('echoes'), { method: 'POST', headers });
    expect(await echo.text()).toMatch(/^q{16000}$/);
    expect(await isAnswered(host.urlOf('accepts'), 5_000)).toBe(true);
    expect(await isAnswered(host.urlOf('hangs'), 200)).toBe(false);
    expect(host.arrivals.list()).toMatchObject([{ key: 'k', tag: 't', dueAt: 1, accepted: true }]);
  } finally {
    await host.close();
  }
});

test('hosts that hang take connections at origins of their own and answer nothing', async () => {
  const hosts = await HangingHosts.start(3);
  try {
    expect(new Set([0, 1, 2].map((n) => new URL(hosts.urlOf(n)).port)).size).toBe(3);
    expect(hosts.urlOf(3)).toBe(hosts.urlOf(0));
    expect(await isAnswered(hosts.urlOf(1), 200)).toBe(false);
  } finally {
    await hosts.close();
  }
});

test('a silent resolver hears questions and answers none', async () => {
  const silent = await SilentResolver.start();
  const resolver = new promises.Resolver({ timeout: 100, tries: 1 });
  resolver.setServers([silent.address]);
  try {
    await expect(resolver.resolve4('h1.dead.example')).rejects.toMatchObject({ code: 'ETIMEOUT' });
    expect(silent.asked).toBe(1);
  } finally {
    await silent.close();
  }
});
