import { WebhookChannel } from '../../../connectors/channels/webhook/webhook';
import { checkPayload } from '../../../connectors/mysql/client/input';
import { systemClock } from '../../../topology/core/clock';
import { payloads } from '../../../topology/payloads/payloads';
import { Receiver } from '../channels/receiver';
import { HOSTILE_ACCOUNT, hostileTenants, queries, type TenantHosts } from './hostile-tenants';
import { Host, type Manner } from './hosts';

const hosts: TenantHosts = {
  hanging: { urlOf: () => 'http://127.0.0.1:1/' },
  shared: { urlOf: (manner) => `http://127.0.0.1:1/${queries[manner]}` },
};

const network = { allowPrivateAddresses: true };
const secretsOf = async () => new Map();

test.each(hostileTenants)('what the tenant sends may be scheduled, or it harms nobody: $name', ({ payloadOf }) => {
  expect(() => checkPayload('webhook', payloadOf(0, hosts), payloads)).not.toThrow();
});

describe('headers as large as may be reach their receiver, and its echo is read and redacted:', () => {
  const tenant = hostileTenants.find(({ name }) => name.includes('headers'));
  const taken = { kind: 'delivered', status: 200, receipt: '…' };

  async function sent(urlOf: (manner: Manner) => string) {
    const channel = new WebhookChannel({ timeoutMs: 5_000, perOrigin: 4, clock: systemClock, network, secretsOf });
    const payload = tenant?.payloadOf(0, { ...hosts, shared: { urlOf } }) as { headers: Record<string, string> };
    expect(Object.entries(payload.headers).flat().join('').length).toBeGreaterThan(16_000);
    try {
      return await channel.send(channel.prepare(HOSTILE_ACCOUNT, JSON.stringify(payload)), {
        id: 1,
        account: HOSTILE_ACCOUNT,
        dueAt: 0,
        inDoubt: false,
        idempotencyKey: 'k',
        mayStart: () => true,
        now: () => systemClock.now(),
      });
    } finally {
      await channel.close();
    }
  }

  test('a host of the measurement', async () => {
    const host = await Host.start();
    expect(await sent((manner) => host.urlOf(manner))).toEqual(taken);
    expect(host.arrivals.list()).toMatchObject([{ key: 'k', accepted: true }]);
    await host.close();
  });

  test('the receiver of the faults', async () => {
    const receiver = await Receiver.start();
    expect(await sent((manner) => `${receiver.url}/${queries[manner]}`)).toEqual(taken);
    expect(receiver.accepted).toMatchObject([{ key: 'k' }]);
    await receiver.close();
  });
});
