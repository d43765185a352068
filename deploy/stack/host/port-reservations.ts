import { createSocket, type Socket } from 'node:dgram';
import { isFree } from './ports';

/**
 * Ports of this machine that a start has chosen and that its parts do not listen on yet. Without them two starts at one moment, of
 * other checkouts or other users, would find the same port free, and both would choose it.
 *
 * What reserves a port is the UDP port of the same number: no part listens on that, every process of the machine finds it taken,
 * and the system frees it when its process ends, however it ends. So no reservation is ever left behind.
 */
export class PortReservations {
  private readonly held = new Map<number, Socket>();

  /** Whether this machine's port can be listened on now, whoever has reserved it. */
  isFree(port: number): Promise<boolean> {
    return isFree(port);
  }

  /** @returns whether it is free and no other start has reserved it; then it is reserved */
  async take(port: number): Promise<boolean> {
    if (!(await this.reserve(port))) return false;
    // In this order: whoever reserves a port frees it only when something listens there.
    if (await this.isFree(port)) return true;
    this.free(port);
    return false;
  }

  /** Reserves a port whether or not it is free. @returns false when another start has reserved it */
  async reserve(port: number): Promise<boolean> {
    if (this.held.has(port)) return true;
    const socket = createSocket('udp4');
    const isBound = await new Promise<boolean>((resolve) => {
      socket.once('error', () => resolve(false));
      socket.bind({ port, address: '127.0.0.1', exclusive: true }, () => resolve(true));
    });
    if (isBound) this.held.set(port, socket.unref());
    else socket.close();
    return isBound;
  }

  /** Frees all of them. */
  end(): void {
    for (const port of this.held.keys()) this.free(port);
  }

  private free(port: number): void {
    this.held.get(port)?.close();
    this.held.delete(port);
  }
}
