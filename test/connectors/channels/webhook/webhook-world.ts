import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { Channel } from '../../../../bolts/channel';
import { WebhookChannel } from '../../../../connectors/channels/webhook/webhook';
import { systemClock } from '../../../../topology/core/clock';
import { storedAs } from '../../../support/channels/stored-accounts';
import type { Behaviour, ChannelWorld } from '../channel-battery';

const SECRET = `whsec_${Buffer.from('a secret of twenty-four!').toString('base64')}`;
type Write = (this: Socket, ...given: unknown[]) => boolean;
const CREDENTIAL = 'credential-of-the-payload';

/** Webhooks, and a receiver that does what the path says. */
export async function webhookWorld(): Promise<ChannelWorld> {
  const keys: string[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      keys.push(String(request.headers['idempotency-key']));
      answer(request, response, body);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const write = Object.getOwnPropertyDescriptor(Duplex.prototype, 'write')?.value as Write;
  let onWrite: (() => void) | undefined;
  // The receiver's own writes pass here too.
  const spy = jest.spyOn(Socket.prototype, 'write').mockImplementation(function (this: Socket, ...given: unknown[]) {
    if (String(given[0]).startsWith('POST ')) onWrite?.();
    return write.apply(this, given);
  });
  const channel: Channel = new WebhookChannel({
    timeoutMs: 300,
    perOrigin: 1,
    clock: systemClock,
    network: { allowPrivateAddresses: true },
    secretsOf: async (accounts) => new Map(accounts.map((account) => [account, storedAs([SECRET])])),
  }) as Channel;
  return {
    channel,
    account: 'shop',
    payload: (behaviour) =>
      JSON.stringify({
        // Nothing listens on port 1.
        url: behaviour === 'away' ? 'http://127.0.0.1:1/' : `http://127.0.0.1:${port}/${encodeURIComponent(behaviour)}`,
        headers: { authorization: `Bearer ${CREDENTIAL}` },
        body: { n: 1 },
      }),
    bad: [
      ['{', 'payload: not JSON'],
      ['{"body":1}', 'payload.url'],
      ['{"url":"https://example.com","body":1,"method":"CONNECT"}', 'payload.method'],
      ['{"url":"https://example.com","body":1,"headers":{"Webhook-Id":"mine"}}', 'payload.headers.Webhook-Id'],
    ],
    written: () => keys,
    onWrite(listener) {
      onWrite = listener;
    },
    secrets: [SECRET, SECRET.slice('whsec_'.length), CREDENTIAL],
    async close() {
      spy.mockRestore();
      await channel.close();
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

function answer(request: IncomingMessage, response: ServerResponse, body: string): void {
  const behaviour = decodeURIComponent((request.url ?? '').slice(1)) as Behaviour;
  if (behaviour === 'takes') response.end();
  else if (behaviour === 'refuses') response.writeHead(400).end();
  else if (behaviour === 'is busy') response.writeHead(429).end();
  else if (behaviour === 'drops') request.socket.destroy();
  else if (behaviour === 'babbles') request.socket.end('SSH-2.0-OpenSSH_9.2\r\n');
  else if (behaviour === 'quotes') {
    const quoted = { ...request.headers };
    response.writeHead(401, { location: JSON.stringify(quoted), 'webhook-receipt': JSON.stringify(quoted) });
    response.end(JSON.stringify({ ...quoted, body }));
  }
}
