import { faults } from './kinds/faults';
import { trial } from './trial';
import { Arena } from './world/arena';

const SEED = 7;

let arena: Arena;

beforeAll(async () => {
  arena = await Arena.start(() => undefined);
}, 120_000);

afterAll(async () => {
  await arena.stop();
}, 60_000);

describe('no message is lost, early, sent after its cancel, or sent twice without a reason, when, under load,', () => {
  const short = faults.filter((fault) => fault.short);
  it.each(short)(
    '$name',
    async (fault) => {
      const { broken } = await trial(arena, fault, SEED);
      expect(broken).toEqual([]);
    },
    300_000,
  );
});
