import { countOf, groupsOf, restartSteps, rollSteps } from '../../../deploy/release/roll-steps';
import { placement } from './placements';

const one = new Map([
  ['due', 2],
  ['webhook', 2],
]);
const four = [placement('due', 1), placement('due', 2), placement('webhook', 1), placement('webhook', 2)];
const namesOf = (groups: readonly (readonly { kind: string; component: string; replica: number }[])[]) =>
  groups.map((group) => group.map(({ kind, component, replica }) => `${kind} ${component}-${replica}`).join(' + '));

test('what is up to date is left alone', () => {
  expect(countOf(rollSteps(four, one, () => true, 1))).toBe(0);
});

test('the spout is replaced when all bolts are, one after another, and the first of each component is a canary', () => {
  const six = [...four, placement('x', 1), placement('x', 2)];
  const stages = rollSteps(six, new Map([...one, ['x', 2]]), () => false, 1);
  expect(stages.map(({ canaries, others }) => [namesOf(canaries), namesOf(others)])).toEqual([
    [
      ['replace webhook-1', 'replace x-1'],
      ['replace webhook-2', 'replace x-2'],
    ],
    [['replace due-1'], ['replace due-2']],
  ]);
  expect(rollSteps(four, one, () => false, 0).flatMap(({ canaries }) => canaries)).toEqual([]);
});

test('a component may be replaced after the spout, canaries included', () => {
  expect(
    namesOf(
      groupsOf(
        rollSteps(
          four,
          one,
          () => false,
          1,
          (component) => (component === 'due' ? 1 : 2),
        ),
      ),
    ),
  ).toEqual(['replace due-1', 'replace due-2', 'replace webhook-1', 'replace webhook-2']);
});

test('what is new starts at once, after what is replaced, and what is too much drains last, one after another', () => {
  const replicas = new Map([
    ['due', 1],
    ['mail', 2],
    ['webhook', 3],
  ]);
  const gone = [...four, placement('sms', 1), placement('sms', 2)];
  const steps = rollSteps(gone, replicas, ({ component }) => component !== 'webhook', 0);
  expect(namesOf(groupsOf(steps))).toEqual([
    'replace webhook-1',
    'replace webhook-2',
    'start mail-1 + start mail-2 + start webhook-3',
    'end sms-2',
    'end sms-1',
    'end due-2',
  ]);
});

test('where nothing runs everything starts at once, without a canary', () => {
  const [stage, ...more] = rollSteps([], one, () => false, 1);
  expect([stage?.canaries, more]).toEqual([[], []]);
  expect(namesOf(stage?.others ?? [])).toEqual(['start webhook-1 + start webhook-2 + start due-1 + start due-2']);
});

test('a restart replaces one after another', () => {
  expect(namesOf(groupsOf(restartSteps(four)))).toEqual([
    'restart webhook-1',
    'restart webhook-2',
    'restart due-1',
    'restart due-2',
  ]);
});
