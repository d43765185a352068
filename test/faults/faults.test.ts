import { shareOfToday } from '../support/trials';
import { faults } from './kinds/faults';
import { trial } from './trial';
import { Arena } from './world/arena';

const SEED = 7;
/** Within so many days each is made, beside those that are made each day. */
const DAYS = 3;
const daily = ['MySQL is killed during claims', 'spouts and bolts are killed at random through a burst'];

let arena: Arena;

beforeAll(async () => {
  arena = await Arena.start(() => undefined);
}, 120_000);

afterAll(async () => {
  await arena.stop();
}, 60_000);

describe('no message is lost, early, sent after its cancel, or sent twice without a reason, when, under load,', () => {
  const short = faults.filter((fault) => fault.short);
  const today = shareOfToday(short, DAYS, ({ name }) => daily.includes(name));

  it('those of each day are among them', () => {
    expect(today.map(({ name }) => name)).toEqual(expect.arrayContaining(daily));
  });

  it.each(today)(
    '$name',
    async (fault) => {
      const { broken } = await trial(arena, fault, SEED);
      expect(broken).toEqual([]);
    },
    300_000,
  );
});
