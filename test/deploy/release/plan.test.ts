import type { PlacementRow } from '../../../connectors/mysql/operators/placements';
import { planText } from '../../../deploy/cli/plan-text';
import { Output } from '../../../deploy/console/output';
import { type PlanOptions, planOf } from '../../../deploy/release/plan';
import { streamsOf } from '../../../deploy/release/plan-topics';
import type { Live, Plan } from '../../../deploy/release/plan-types';
import { parseTopologySettings } from '../../../topology/settings/topology-settings';
import { placement } from './placements';

const BEFORE = 'components: { webhook: {} }';

const runs = (text: string, packageVersion = '0.1.0') => ({
  settings: parseTopologySettings(text, 'test'),
  packageVersion,
  image: null,
});

/** Everything is there as the release that runs says. */
function live(text = BEFORE, changed: Partial<Live> = {}): Live {
  const release = { ...runs(text), number: 7 };
  const topics = streamsOf(release.settings).map(
    ({ name, partitions }) => [name, { partitions, replicas: 1 }] as const,
  );
  return {
    release,
    schema: { isEmpty: false, pending: [], newer: 0 },
    topics: new Map(topics),
    connector: [],
    waiting: new Map(),
    unknown: [],
    notes: [],
    ...changed,
  };
}

const plan = (after: string, there = live(), options?: PlanOptions) => planOf(runs(after), there, options);
const said = ({ steps }: Plan) => steps.map(({ what, change, cost }) => `${what}: ${change}: ${cost}`);

test('nothing to do is said with no step at all', () => {
  expect(plan('components: { due: { lead: 2000ms }, webhook: { replicas: 2 } }')).toEqual({
    steps: [],
    refusals: [],
    warnings: [],
    changes: [],
    rolls: [],
  });
});

test('more partitions of a channel pause its sends, and cannot be taken back', () => {
  const grown = plan('components: { webhook: { partitions: 16 } }');
  expect(said(grown)).toEqual([
    expect.stringMatching(/^due\.webhook: partitions 8 → 16: sends of webhook pause for 10 s or more/),
  ]);
  expect(grown.warnings).toEqual([
    'due.webhook then has 16 partitions for ever: Kafka takes none away, and a rollback keeps them.',
  ]);
  expect(grown.rolls).toEqual([]);
});

test('more partitions of the changes pause all sends', () => {
  const grown = plan(
    'components: { due: { partitions: 16 }, webhook: {} }',
    live(BEFORE, { connector: ['partition.topic.num'] }),
  );
  expect(said(grown)).toEqual([
    expect.stringMatching(
      /^schedule-changes: partitions 8 → 16: all sends pause for 10 s or more: as long as the connector/,
    ),
    expect.stringMatching(/^connector: is registered again \(partition\.topic\.num differ\): CDC pauses for about 2 s/),
  ]);
});

test('more partitions are refused, as the deploy would refuse them, while a worker runs that would reorder messages meanwhile', () => {
  const reorders = { host: 'host-1', pid: 4711, version: '0.0.9' };
  const grown = 'components: { due: { partitions: 16 }, webhook: { partitions: 16 } }';
  expect(plan(grown, live(BEFORE, { reorders })).refusals).toEqual(
    ['schedule-changes', 'due.webhook'].map(
      (stream) =>
        `Workers of Downspout 0.0.9 run, such as process 4711 on host-1, which would reorder messages while ${stream} gets more partitions. ` +
        'Deploy first with as many partitions as there are, and add partitions with the deploy after it.',
    ),
  );
  expect(plan(grown).refusals).toEqual([]);
  expect(plan('components: { webhook: { timeout: 5s } }', live(BEFORE, { reorders })).refusals).toEqual([]);
});

test('fewer partitions are refused with what to do; a rollback keeps those that are there', () => {
  const fewer = 'components: { webhook: { partitions: 4 } }';
  expect(plan(fewer).refusals).toEqual([
    'due.webhook has 8 partitions, and components.webhook.partitions is 4: Kafka takes none away. Write 8 or more; more partitions than workers cost nothing.',
  ]);
  const back = plan(fewer, live(), { keepsPartitions: true });
  expect(back.refusals).toEqual([]);
  expect(back.warnings).toEqual([
    'due.webhook has 8 partitions, and components.webhook.partitions is 4: it keeps them, because Kafka takes none away.',
  ]);
});

test('a setting that workers read replaces those that read it: 2 of 4, or all for the lead', () => {
  const one = plan('components: { webhook: { timeout: 5s } }');
  expect(said(one)).toEqual([
    'webhook: timeout 10s → 5s: workers of webhook roll',
    'workers: 2 of 4 are replaced (webhook): one at a time, the new one ready before the old one drains: no send waits',
  ]);
  const all = plan('components: { due: { lead: 3s }, webhook: {} }');
  expect(said(all)[0]).toBe('due: lead 2s → 3s: workers of due, webhook roll');
  expect(said(all)[1]).toMatch(/^workers: 4 of 4 are replaced \(due, webhook\)/);
});

test('another time-out of a channel that is looked up replaces the spouts too', () => {
  const changed = plan('components: { x: { timeout: 2min } }', live('components: { x: {} }'));
  expect(said(changed)[0]).toBe('x: timeout 10s → 2min: workers of x, due roll');
  expect(changed.rolls).toEqual(['due', 'x']);
});

test('replicas up and down replace nobody', () => {
  expect(said(plan('components: { due: { replicas: 1 }, webhook: { replicas: 6 } }'))).toEqual([
    'due: replicas 2 → 1: 1 worker is drained: what it sends ends first, and the others take its partitions over',
    'webhook: replicas 2 → 6: 4 workers are started and take partitions over within about 2 s',
  ]);
});

test('another version replaces every worker', () => {
  const newer = planOf(runs(BEFORE, '0.2.0'), live());
  expect(said(newer)[0]).toMatch(
    /^downspout: 0\.1\.0 → 0\.2\.0: every worker is replaced; both versions run side by side/,
  );
  expect(newer.rolls).toEqual(['due', 'webhook']);
  expect(newer.warnings).toEqual([
    expect.stringMatching(/^Going back to Downspout 0\.1\.0 needs 0\.1\.0 on each host/),
  ]);
});

test('a component that is new gets its topic and its workers, and spouts roll so that they feed it', () => {
  const added = plan('components: { webhook: {}, second: { partitions: 4 } }');
  expect(said(added)).toEqual([
    'due.second: a new topic, 4 partitions: nothing waits',
    'second: new: 2 workers, 4 partitions: it is started once the spouts feed it',
    expect.stringMatching(/^workers: 2 of 4 are replaced \(due\)/),
  ]);
  expect(said(plan('components: { webhook: {}, second: { replicas: 1, partitions: 1 } }'))).toEqual([
    'due.second: a new topic, 1 partition: nothing waits',
    'second: new: 1 worker, 1 partition: it is started once the spouts feed it',
    expect.anything(),
  ]);
});

test('of a component that is removed it is said that its messages wait, and how many', () => {
  const there = live('components: { webhook: {}, second: {} }', { waiting: new Map([['second', 1_234]]) });
  const removed = plan(BEFORE, there);
  expect(said(removed)[0]).toBe('second: is removed: its 2 workers drain; its messages wait (1,234 now)');
  expect(removed.warnings).toEqual([
    'second is removed: its messages wait (1,234 now) until a release has it again. Its topic stays.',
  ]);
});

test('migrations only add; a database that a newer version made is refused', () => {
  const pending = ['ALTER TABLE `releases` ADD COLUMN `x` int', 'CREATE TABLE `y` (', 'ALTER TABLE `releases` ADD z'];
  const steps = said(plan(BEFORE, live(BEFORE, { schema: { isEmpty: false, pending, newer: 0 } })));
  expect(steps).toEqual([expect.stringMatching(/^schema: 3 migrations \(releases, y\): they only add/)]);
  const rewriting = ['ALTER TABLE `pauses` MODIFY COLUMN `x` int'];
  const one = said(plan(BEFORE, live(BEFORE, { schema: { isEmpty: false, pending: rewriting, newer: 0 } })));
  expect(one).toEqual([expect.stringMatching(/^schema: 1 migration \(pauses\): some rewrite a table/)]);
  for (const taken of ['ALTER TABLE `pauses` DROP COLUMN `x`', 'ALTER TABLE `pauses` RENAME COLUMN `x` TO `y`']) {
    const these = said(
      plan(BEFORE, live(BEFORE, { schema: { isEmpty: false, pending: [...pending, taken], newer: 0 } })),
    );
    expect(these).toEqual([expect.stringMatching(/^schema: 4 migrations .*: not additive \((DROP COLUMN|RENAME)\): /)]);
    expect(these[0]).not.toMatch(/go on/);
  }
  const empty = said(plan(BEFORE, live(BEFORE, { schema: { isEmpty: true, pending, newer: 0 } })));
  expect(empty).toEqual(['schema: is made, with its users: nothing is there yet']);
  const { refusals } = plan(BEFORE, live(BEFORE, { schema: { isEmpty: false, pending: [], newer: 2 } }));
  expect(refusals).toEqual([
    'The database has 2 migrations that Downspout 0.1.0 does not know, so a newer version was deployed on it, and a schema is never taken back. Deploy with that version or a newer one.',
  ]);
});

test('the first release makes and starts everything', () => {
  const first = plan(BEFORE, live(BEFORE, { release: null, topics: new Map(), connector: null }));
  expect(said(first)).toEqual([
    'schedule-changes: a new topic, 8 partitions: nothing waits',
    'due.webhook: a new topic, 8 partitions: nothing waits',
    'connector: is registered: it reads no table, only changes from then on',
    'due: new: 2 workers, 8 partitions: it is started',
    'webhook: new: 2 workers, 8 partitions: it is started',
  ]);
});

test('how safely topics are kept: changed in place, or left to Kafka’s own tool', () => {
  const kept = plan('components: { webhook: {} }\ntopics: { replicationFactor: 3, minInsyncReplicas: 2 }');
  expect(said(kept)).toEqual([
    "topics: replicationFactor the brokers' own → 3: it counts for new topics",
    "topics: minInsyncReplicas the brokers' own → 2: it is changed in place; nothing waits",
  ]);
  expect(kept.warnings).toEqual([
    'topics.replicationFactor is 3, and schedule-changes (1), due.webhook (1) keep their own: kafka-reassign-partitions.sh of Kafka changes that.',
  ]);
});

test('without MySQL there are no workers in the plan, without Kafka the release says how many partitions there are', () => {
  const after = 'components: { webhook: { partitions: 16, timeout: 5s } }';
  const withoutDatabase = plan(after, live(BEFORE, { release: undefined, schema: undefined }));
  expect(said(withoutDatabase)).toEqual([expect.stringMatching(/^due\.webhook: partitions 8 → 16/)]);
  const withoutKafka = plan(after, live(BEFORE, { topics: undefined, connector: undefined }));
  expect(said(withoutKafka)[0]).toMatch(/^due\.webhook: partitions 8 → 16/);
  const neither = plan(
    after,
    live(BEFORE, { release: undefined, topics: undefined, connector: undefined, schema: undefined }),
  );
  expect(neither.steps).toEqual([]);
});

test('on kubernetes every pod is replaced whatever changes, because each says which release it runs', () => {
  const there = live();
  const image = 'downspout:1';
  const release = { ...runs(BEFORE), image, number: 7, target: 'kubernetes' as const };
  const onKubernetes = (after: string, changed = {}) =>
    planOf({ ...runs(after), image, target: 'kubernetes', ...changed }, { ...there, release });
  for (const components of ['{ webhook: { timeout: 5s } }', '{ webhook: { replicas: 3 } }']) {
    const changed = onKubernetes(`components: ${components}`);
    expect(changed.rolls).toEqual(['due', 'webhook']);
    expect(said(changed).at(-1)).toMatch(/^workers: 4 of 4 are replaced \(due, webhook\): each says which release/);
  }
  expect(onKubernetes(BEFORE, { image: 'downspout:2' }).rolls).toEqual(['due', 'webhook']);
  expect(onKubernetes(BEFORE)).toMatchObject({ steps: [], rolls: [] });
  const said2s = { components: { due: { lead: '2s' }, webhook: {} } };
  const before = { ...release, specification: { components: { webhook: {} } } };
  const inOtherWords = (specification: unknown) =>
    planOf({ ...runs(BEFORE), image, target: 'kubernetes', specification }, { ...there, release: before }).rolls;
  expect(inOtherWords(said2s)).toEqual(['due', 'webhook']);
  expect(inOtherWords(before.specification)).toEqual([]);
  expect(planOf({ ...runs('components: { webhook: { replicas: 3 } }'), target: 'local' }, there).rolls).toEqual([]);
});

test.each([
  ['kubernetes', 'settings.env is no part of a release, and is not compared here.'],
  [
    'compose',
    'workers.env, the files that it names and what the name of the image stands for are no part of a release',
  ],
] as const)(
  'on %s it is said what was not compared and may replace workers, and not where all are replaced anyway',
  (target, text) => {
    const image = 'downspout:1';
    const there = live(BEFORE, { release: { ...runs(BEFORE), image, number: 7, target } });
    const same = planOf({ ...runs(BEFORE), image, target }, there);
    expect(same).toMatchObject({ steps: [], warnings: [expect.stringContaining(text)] });
    expect(planText(same, there, ['topology.yaml'], new Output({}))).toContain(
      'Nothing that could be seen would change.',
    );
    expect(planOf({ ...runs(BEFORE), image: 'downspout:2', target }, there).warnings).toEqual([]);
    expect(planOf({ ...runs(BEFORE), target: 'local' }, live()).warnings).toEqual([]);
  },
);

test('a release of another target is refused while one runs elsewhere', () => {
  const elsewhere = live();
  const there = { ...elsewhere, release: { ...runs(BEFORE), number: 7, target: 'kubernetes' as const } };
  expect(planOf({ ...runs(BEFORE), target: 'local' }, there).refusals).toEqual([
    expect.stringMatching(/^Release 7 runs on the target kubernetes\./),
  ]);
  expect(planOf({ ...runs(BEFORE), target: 'kubernetes' }, there).refusals).toEqual([]);
  expect(planOf(runs(BEFORE), there).refusals).toEqual([]);
});

test('a release of another target is refused while one that was begun and is not done may run elsewhere', () => {
  const unfinished = [{ number: 1, target: 'local' as const }];
  const there = live(BEFORE, { release: null, unfinished });
  expect(planOf({ ...runs(BEFORE), target: 'kubernetes' }, there).refusals).toEqual([
    expect.stringMatching(/^Release 1 runs on the target local\./),
  ]);
  expect(planOf({ ...runs(BEFORE), target: 'local' }, there).refusals).toEqual([]);
});

test('a file of another environment is refused while a release of one runs, or may run, unless it is to change', () => {
  const production = { ...live().release, environment: 'production' } as Live['release'];
  const there = live(BEFORE, { release: production });
  const alone = { ...runs(BEFORE), environment: '' };
  expect(planOf(alone, there).refusals).toEqual([
    expect.stringMatching(/^Release 7 is of the environment production, .*`--environment production`/),
  ]);
  const begun = live(BEFORE, { release: null, unfinished: [{ number: 8, environment: 'production' }] });
  expect(planOf(alone, begun).refusals).toEqual([expect.stringMatching(/^Release 8 is of the environment production/)]);
  const changed = planOf(alone, there, { changesEnvironment: true });
  expect(changed.refusals).toEqual([]);
  expect(said(changed)).toEqual([
    expect.stringMatching(/^environment: the environment production → topology\.yaml alone: a new release says so/),
  ]);
  expect(planOf({ ...alone, environment: 'production' }, there)).toMatchObject({ steps: [], refusals: [] });
  expect(planOf(alone, live())).toMatchObject({ steps: [], refusals: [] });
});

test('where nothing runs any more the environment of the last release is said, and refuses nothing', () => {
  const there = live(BEFORE, { release: null, last: { number: 7, environment: 'production' } });
  const { warnings, refusals } = planOf({ ...runs(BEFORE), environment: '' }, there);
  expect([refusals, warnings]).toEqual([
    [],
    ['Release 7, the last one, was of the environment production, and this is of topology.yaml alone.'],
  ]);
  expect(planOf({ ...runs(BEFORE), environment: 'production' }, there).warnings).toEqual([]);
});

test('on kubernetes another environment replaces every pod, although nothing else differs', () => {
  const image = 'downspout:1';
  const release = { ...runs(BEFORE), image, number: 7, target: 'kubernetes' as const, environment: 'production' };
  const wanted = { ...runs(BEFORE), image, target: 'kubernetes' as const };
  const rollsIn = (environment: string) =>
    planOf({ ...wanted, environment }, live(BEFORE, { release }), { changesEnvironment: true }).rolls;
  expect(rollsIn('staging')).toEqual(['due', 'webhook']);
  expect(rollsIn('production')).toEqual([]);
});

describe('the workers that are asked for count, where they are not those of the release that is live', () => {
  const live9 = { ...runs('components: { due: { replicas: 1 }, webhook: { timeout: 9s } }'), number: 7 };
  const begun = { ...runs('components: { due: { replicas: 1 }, webhook: { timeout: 8s, replicas: 3 } }'), number: 8 };
  const there = (placements: readonly PlacementRow[], changed: Partial<Live> = {}) =>
    live(BEFORE, {
      release: live9,
      placed: {
        placements,
        runs: new Map([
          [7, live9],
          [8, begun],
        ]),
      },
      ...changed,
    });
  const mixed = [
    placement('due', 1, { releaseNumber: 7 }),
    placement('webhook', 1, { releaseNumber: 8 }),
    placement('webhook', 2, { releaseNumber: 7 }),
    placement('webhook', 3, { releaseNumber: 8 }),
  ];

  test('a release that was interrupted', () => {
    const back = planOf(live9, there(mixed, { unfinished: [{ number: 8 }] }));
    expect(said(back)).toEqual([
      'release: 8 was begun and is not done: deploying the same goes on with it, anything else takes its place',
      expect.stringMatching(/^workers: 1 of 4 is replaced \(webhook\): one at a time/),
      'workers: 1 is drained (webhook): the topology does not have them',
    ]);
    expect(back.rolls).toEqual(['webhook']);
    expect(said(planOf(begun, there(mixed, { unfinished: [{ number: 8 }] }))).at(-1)).toMatch(/^workers: 1 of 4 is/);
  });

  test('`kill`, which has ended them', () => {
    expect(said(planOf(live9, there([])))).toEqual([
      'workers: 3 are started (webhook, due): the topology has them, and nobody runs them',
    ]);
    const killed = planOf(live9, there([], { release: null }));
    expect(said(killed).map((line) => line.split(':')[0])).toEqual(['due', 'webhook']);
  });

  test('and where they are, nothing would change', () => {
    const same = mixed.slice(0, 1).concat([placement('webhook', 1), placement('webhook', 2)]);
    const placements = same.map((one) => ({ ...one, releaseNumber: 7 }));
    expect(planOf(live9, there(placements)).steps).toEqual([]);
  });
});

test('of a release that this version cannot read, every worker is replaced', () => {
  const release = { ...runs(BEFORE), number: 7, settings: null };
  const placements = ['due', 'webhook'].flatMap((name) =>
    [1, 2].map((nth) => placement(name, nth, { releaseNumber: 7 })),
  );
  const unread = plan(BEFORE, live(BEFORE, { release, placed: { placements, runs: new Map([[7, null]]) } }));
  expect(said(unread)).toEqual([
    'release: 7 says what this version of Downspout does not understand: every worker is replaced; what differs is not known',
    expect.stringMatching(/^workers: 4 of 4 are replaced \(due, webhook\)/),
  ]);
  expect(unread.changes).toEqual([]);
  const elsewhere = planOf(
    { ...runs(BEFORE), target: 'compose' },
    live(BEFORE, { release: { ...release, target: 'compose' } }),
  );
  expect(said(elsewhere)).toHaveLength(1);
});

test('a schema that nobody here may bring up to date refuses the release, with what to do', () => {
  const schema = { isEmpty: false, pending: ['ALTER TABLE `releases` ADD COLUMN `environment` varchar(40)'], newer: 0 };
  const refused = plan(BEFORE, live(BEFORE, { schema, mayMigrate: false }));
  expect(refused.refusals).toEqual([
    'The schema lacks 1 migration, and ADMIN_DATABASE_URL is not set: let somebody who may alter it run `downspout migrate`.',
  ]);
  expect(refused.steps).toEqual([]);
  expect(plan(BEFORE, live(BEFORE, { schema, mayMigrate: true })).refusals).toEqual([]);
});

test('a plan says for how long what is being sent is waited for, by the longer of the time-outs before and after', () => {
  const there = live('components: { webhook: {}, telegram: { timeout: 2min } }');
  const [step] = plan('components: { webhook: {}, telegram: { timeout: 30s, partitions: 16 } }', there).steps;
  expect(step).toMatchObject({
    what: 'due.telegram',
    cost: expect.stringMatching(
      /a request may take 2 min, and when they are not answered within 2 min 20 s nothing is changed$/,
    ),
  });
  const [changes] = plan(
    'components: { due: { partitions: 16 }, webhook: {}, telegram: { timeout: 2min } }',
    there,
  ).steps;
  expect(changes).toMatchObject({
    what: 'schedule-changes',
    cost: expect.stringContaining(
      'before that a request may take 2 min, and when they are not answered within 2 min 20 s',
    ),
  });
});
