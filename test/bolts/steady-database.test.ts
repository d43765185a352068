import { momentOf, SteadyDatabase } from '../../bolts/steady-database';
import { ManualClock } from '../support/manual-clock';

let clock: ManualClock;
let database: SteadyDatabase;

beforeEach(() => {
  clock = new ManualClock();
  database = new SteadyDatabase(clock);
});

/** Asks, and is answered after so long. */
async function ask(answeredAfter: () => Promise<void> | void = () => {}): Promise<void> {
  const asked = momentOf(clock);
  await answeredAfter();
  database.answered(asked);
}

const steadyMs = () => database.steadyMs(momentOf(clock));

async function answering(forMs: number): Promise<void> {
  for (let ms = 0; ms <= forMs; ms += 2_000) {
    await ask();
    await clock.advance(2_000);
  }
}

test('it is steady since its first answer, and not before there is one', async () => {
  expect(steadyMs()).toBe(0);
  await ask(() => clock.advance(500));
  await clock.advance(9_000);
  expect(steadyMs()).toBe(9_000);
  await ask();
  await clock.advance(9_000);
  expect(steadyMs()).toBe(18_000);
});

test('without an answer it begins anew', async () => {
  await answering(60_000);
  database.lost();
  expect(steadyMs()).toBe(0);
  await ask();
  await clock.advance(1_000);
  expect(steadyMs()).toBe(1_000);
});

test.each([
  ['between two questions', async (stand: () => void) => stand()],
  ['between a question and its answer', (stand: () => void) => ask(stand)],
])('what stood still %s knows nothing of the database meanwhile, by whichever clock', async (_, standing) => {
  for (const stand of [() => clock.jump(11_000), () => clock.suspend(11_000)]) {
    await answering(60_000);
    expect(steadyMs()).toBeGreaterThan(50_000);
    await standing(stand);
    expect(steadyMs()).toBe(0);
    await ask();
    expect(steadyMs()).toBe(0);
    await clock.advance(3_000);
    expect(steadyMs()).toBe(3_000);
  }
});
