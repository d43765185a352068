import type { SendRows } from '../../../bolts/send-rows';
import { rehearse } from '../../../deploy/worker/rehearsal';
import { type Clock, systemClock } from '../../../topology/core/clock';
import { parseTopologySettings } from '../../../topology/settings/topology-settings';

const bolt = parseTopologySettings('components: { webhook: {} }', 'topology.yaml').bolts['webhook'];
if (bolt === undefined) throw new Error('the topology has no bolt');
const options = { settings: bolt, clock: systemClock, random: Math.random };

/** A second never ends on it, however slow the machine is. */
const patient: Clock = {
  ...systemClock,
  sleep: (delay, signal) => systemClock.sleep(signal === undefined ? delay : 60_000, signal),
};

const refused = () => Promise.reject(new Error('refused'));

test('made-up messages go all the way, and the table is asked for rows only that cannot be there', async () => {
  const ids = new Set<number>();
  const rows: Pick<SendRows, 'read' | 'claim'> = {
    read: async (some) => {
      for (const id of some) ids.add(id);
      return [];
    },
    claim: async (_session, some) => {
      for (const { id } of some) ids.add(id);
      return 0;
    },
  };
  expect(await rehearse({ ...options, clock: patient, rows })).toBe(2_000);
  expect(Math.min(...ids)).toBeGreaterThan(2 ** 53 - 3_000);
  expect(ids.size).toBe(2_000);
});

test('a database that does not answer, or refuses, ends it after a second', async () => {
  const never = new Promise<never>(() => undefined);
  expect(await rehearse({ ...options, rows: { read: () => never, claim: () => never } })).toBe(0);
  expect(await rehearse({ ...options, rows: { read: refused, claim: refused } })).toBe(0);
});
