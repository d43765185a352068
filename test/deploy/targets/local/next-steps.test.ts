import {
  type Generation,
  nextSteps,
  type PlacedProcess,
  type Situation,
} from '../../../../deploy/targets/local/next-steps';

const OLD: Generation = { releaseNumber: 7, restarts: 0 };
const NEW: Generation = { releaseNumber: 8, restarts: 0 };

const runs = (generation: Generation, phase: PlacedProcess['phase']): PlacedProcess => ({ ...generation, phase });
const steps = (over: Partial<Situation<PlacedProcess>>) =>
  nextSteps({ standing: 'ours', wanted: NEW, proven: OLD, processes: [], mayStart: () => true, ...over });

describe('what to do next for a placement', () => {
  test('1. The new worker is ready before the old one drains', () => {
    const old = runs(OLD, 'ready');
    expect(steps({ processes: [old] })).toEqual({ start: [NEW], drain: [] });
    expect(steps({ processes: [old, runs(NEW, 'starting')] })).toEqual({ start: [], drain: [] });
    expect(steps({ processes: [old, runs(NEW, 'ready')] })).toEqual({ start: [], drain: [old] });
    expect(steps({ processes: [runs(OLD, 'draining'), runs(NEW, 'ready')] })).toEqual({ start: [], drain: [] });
  });

  test('the old worker is started again if it dies before the new one is ready', () => {
    expect(steps({ processes: [runs(NEW, 'starting')] })).toEqual({ start: [OLD], drain: [] });
    expect(steps({ mayStart: (one) => one.releaseNumber === 7 })).toEqual({ start: [OLD], drain: [] });
  });

  test.each(['gone', 'ready_elsewhere'] as const)(
    '2. A placement that is gone, or ready elsewhere, is drained here: %s',
    (standing) => {
      const processes = [runs(OLD, 'ready'), runs(NEW, 'starting')];
      expect(steps({ standing, processes })).toEqual({ start: [], drain: processes });
      expect(steps({ standing, processes: [runs(OLD, 'draining')] })).toEqual({ start: [], drain: [] });
    },
  );

  test('3. What another supervisor has not made ready yet goes on here, and is not started again', () => {
    const begun = runs(NEW, 'starting');
    expect(steps({ standing: 'elsewhere', processes: [runs(OLD, 'ready'), begun] })).toEqual({
      start: [],
      drain: [begun],
    });
    expect(steps({ standing: 'elsewhere' })).toEqual({ start: [], drain: [] });
  });

  test('4. One process at most of each generation: of what is neither wanted nor proven, nothing stays', () => {
    const between = runs({ releaseNumber: 7, restarts: 1 }, 'starting');
    expect(steps({ processes: [runs(OLD, 'ready'), between, runs(NEW, 'starting')] })).toEqual({
      start: [],
      drain: [between],
    });
    expect(steps({ wanted: OLD, processes: [runs(OLD, 'ready'), runs(NEW, 'starting')] })).toEqual({
      start: [],
      drain: [runs(NEW, 'starting')],
    });
  });
});
