import { explain, judged } from './report';

/** The first seed; given, it alone is run unless SIMULATION_RUNS says otherwise. */
const given = process.env['SIMULATION_SEED'];
const first = Number(given ?? 1);
const runs = Number(process.env['SIMULATION_RUNS'] ?? (given === undefined ? 2_000 : 1));
/** Failing seeds that are told in full. */
const TOLD = 3;

test(`every promise holds, whatever happens (${runs} runs from seed ${first})`, async () => {
  const broken: string[] = [];
  for (let seed = first; seed < first + runs && broken.length < TOLD; seed++) {
    const run = await judged(seed);
    if (run.violations.length > 0) broken.push(explain(run));
  }
  expect(broken.join('\n\n')).toBe('');
}, 600_000);

test('a seed replays exactly', async () => {
  const [one, other] = [await judged(7), await judged(7)];
  expect(other).toEqual(one);
  expect(one.figures.requests).toBeGreaterThan(0);
});
