import { WebhookChannel } from '../../connectors/channels/webhook/webhook';
import { systemClock } from '../../topology/core/clock';
import { rowsOf, type Workload } from './workload';

/** What one sender of the bare measurement has to do. */
export interface SenderJob {
  readonly work: Workload;
  readonly from: number;
  readonly to: number;
  /** Epoch milliseconds. */
  readonly dueAt: number;
  readonly inFlight: number;
  readonly timeout: number;
}

/** Sends rows from memory through the channel that the bolt uses, as fast as it goes from the instant they are due. */
async function send({ work, from, to, dueAt, inFlight, timeout }: SenderJob): Promise<void> {
  const channel = new WebhookChannel({
    timeoutMs: timeout,
    perOrigin: inFlight,
    clock: systemClock,
    network: { allowPrivateAddresses: true },
    secretsOf: async () => new Map(),
  });
  const rows = rowsOf(work, from, to, () => dueAt).map(({ account, payload, tag }) => ({
    prepared: channel.prepare(account, payload),
    attempt: {
      id: 0,
      account,
      dueAt: 0,
      inDoubt: false,
      idempotencyKey: tag,
      mayStart: () => true,
      now: () => systemClock.now(),
    },
  }));
  await channel.warm(rows.map(({ attempt }) => attempt.account));
  while (systemClock.now() < dueAt) await systemClock.sleep(dueAt - systemClock.now());
  let next = 0;
  const slot = async () => {
    for (let row = rows[next++]; row !== undefined; row = rows[next++]) {
      const outcome = await channel.send(row.prepared, row.attempt);
      if (outcome === 'not_started' || outcome.kind !== 'delivered') {
        throw new Error(`bare HTTP failed: ${JSON.stringify(outcome)}`);
      }
    }
  };
  await Promise.all(Array.from({ length: inFlight }, slot));
  await channel.close();
}

process.on('message', (job: SenderJob) => {
  void send(job).then(
    () => process.send?.({ done: true }),
    (error: unknown) => process.send?.({ done: false, reason: String(error) }),
  );
});
