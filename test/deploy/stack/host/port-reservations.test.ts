import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { PortReservations } from '../../../../deploy/stack/host/port-reservations';
import { freePort, isFree } from '../../../../deploy/stack/host/ports';

describe('PortReservations', () => {
  const starts: PortReservations[] = [];
  let port: number;

  beforeEach(async () => {
    port = await freePort(new Set());
  });
  afterEach(() => {
    for (const one of starts.splice(0)) one.end();
  });

  function start(): PortReservations {
    const reservations = new PortReservations();
    starts.push(reservations);
    return reservations;
  }

  it('gives a port to one start at a time, and leaves it to the part that is to listen there', async () => {
    const [first, second] = [start(), start()];
    expect(await Promise.all([first.take(port), second.take(port)])).toContain(false);
    expect((await first.take(port)) || (await second.take(port))).toBe(true);
    expect(await isFree(port)).toBe(true);
    first.end();
    second.end();
    expect(await second.take(port)).toBe(true);
  });

  it('gives no port on which something listens, and does not keep it from its owner', async () => {
    const [first, second] = [start(), start()];
    const server = createServer().listen(port, '127.0.0.1');
    await once(server, 'listening');
    const taken = [await first.take(port), await second.reserve(port)];
    server.close();
    expect(taken).toEqual([false, true]);
  });

  it('a start that is killed leaves nothing behind', async () => {
    const script = "require('dgram').createSocket('udp4').bind(+process.argv[1], '127.0.0.1', () => console.log('up'))";
    const child = spawn(process.execPath, ['-e', script, String(port)], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    const whileItLives = await start().take(port);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(whileItLives).toBe(false);
    expect(await start().take(port)).toBe(true);
  });
});
