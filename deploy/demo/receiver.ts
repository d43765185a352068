import { systemClock } from '../../topology/core/clock';
import type { ReceiverAnswer, ReceiverRequest } from './receiver-process';
import { ReceiverServer } from './receiver-server';

/** The receiver's process. Its parent says what to do (see ReceiverProcess); it ends when the parent is gone. */
async function main(): Promise<void> {
  const server = new ReceiverServer(systemClock);
  process.on('message', ({ id, ask }: ReceiverRequest) => {
    if (ask === 'reset') server.arrivals.reset();
    if (ask === 'list') answer({ id, list: server.arrivals.list() });
    else if (ask === 'report') answer({ id, report: server.arrivals.report() });
    else answer({ id, accepted: server.arrivals.accepted });
  });
  process.on('disconnect', () => void server.close());
  // The parent decides when this ends, also when a terminal sends the signal to all of them.
  process.on('SIGINT', () => undefined);
  answer({ id: 0, port: await server.listen(Number(process.argv[2] ?? 0)) });
}

function answer(message: ReceiverAnswer): void {
  process.send?.(message);
}

void main();
