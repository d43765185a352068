import { WebhookChannel } from '../../../connectors/channels/webhook/webhook';
import { parseRequest } from '../../../connectors/channels/webhook/webhook-request';
import { checkPayload } from '../../../connectors/mysql/client/input';
import { systemClock } from '../../../topology/core/clock';
import { BadRecord } from '../../../topology/core/errors';
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

test.each(hostileTenants)(
  'what the tenant sends may be scheduled, but for what is to be refused: $name',
  ({ payloadOf, messages, refused = 0 }) => {
    const check = (n: number) => () => checkPayload('webhook', payloadOf(n, hosts), payloads);
    for (const n of [refused, messages - 1]) expect(check(n)).not.toThrow();
    for (let n = 0; n < refused; n++) {
      expect(check(n)).toThrow('payload.headers');
      // What plain SQL has written is refused when it is read.
      const text = JSON.stringify(payloadOf(n, hosts));
      expect(text.length).toBeGreaterThan(500_000);
      expect(() => parseRequest(HOSTILE_ACCOUNT, text)).toThrow(BadRecord);
    }
  },
);

describe('headers as large as may be reach their receiver, and its echo is read and redacted:', () => {
  const tenant = hostileTenants.find(({ name }) => name.includes('headers'));
  const taken = { kind: 'delivered', status: 200, receipt: '…' };

  async function sent(urlOf: (manner: Manner) => string) {
    const channel = new WebhookChannel({ timeoutMs: 5_000, perOrigin: 4, clock: systemClock, network, secretsOf });
    const payload = tenant?.payloadOf(tenant.messages - 1, { ...hosts, shared: { urlOf } }) as {
      headers: Record<string, string>;
    };
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
