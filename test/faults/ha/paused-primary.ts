import { systemClock } from '../../../topology/core/clock';
import { until } from '../../support/until';
import type { HaTrial } from './ha-trial';
import { whenThere } from './ha-world';

/** The year 2099: it is not sent during the trial. */
const FAR = Date.UTC(2099, 0);
const ELECTION_MS = 60_000;

/**
 * The primary sleeps with a claim in hand, the message is canceled at its successor, and it wakes: the claim must not come
 * back over the cancel, on no server.
 * @returns what was not so
 */
export async function pausedPrimary({ world, deployment }: HaTrial): Promise<string[]> {
  const { primary } = await world.whole();
  const { client, receiver } = deployment;
  const { id } = await client.schedule({
    account: 'a',
    channel: 'webhook',
    dueAt: FAR,
    payload: { url: receiver.url, body: 1 },
  });
  const inHand = await world.connect(primary);
  const pausedAt = systemClock.monotonic();
  world.pause(primary);
  const late = inHand
    .query(`UPDATE downspout.scheduled_messages SET state='sending', claim=REPEAT('x', 16), attempts=1 WHERE id=${id}`)
    .then(
      () => 'the late claim was acknowledged',
      () => null,
    );
  await until(
    'the cancel is acknowledged',
    () => whenThere(async () => (await client.cancel({ id })).result === 'canceled'),
    ELECTION_MS,
  );
  const canceledAfter = systemClock.monotonic() - pausedAt;
  world.resume(primary);
  const acknowledged = await late;
  inHand.destroy();
  const members = await world.whole();
  await world.equalRows();
  const rows = await world.ask(members.primary, `SELECT state FROM downspout.scheduled_messages WHERE id=${id}`);
  return [
    ...(acknowledged === null ? [] : [acknowledged]),
    ...(rows.join() === 'canceled' ? [] : [`the row is ${rows.join()}`]),
    ...(members.primary === primary ? [`${primary} is the primary again, ${canceledAfter} ms after its pause`] : []),
  ];
}
