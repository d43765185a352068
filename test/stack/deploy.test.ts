import { systemClock } from '../../topology/core/clock';
import { shareOfToday } from '../support/trials';
import { until } from '../support/until';
import { type AuditEntry, Rolled } from './rolled';

// Every command is a process, and each of them sees a change come through CDC.
jest.setTimeout(600_000);

let rolled: Rolled;

beforeEach(async () => {
  rolled = await Rolled.start();
});
afterEach(async () => {
  await rolled.close();
}, 120_000);

/** Within so many days a deploy is killed at each of its steps. */
const DAYS = 4;
/** Messages per second. */
const RATE = 30;
const grown = (webhook: string) =>
  `{ due: { replicas: 1, partitions: 4 }, webhook: { replicas: 2, partitions: 6${webhook} } }`;
const small = (webhook: string) =>
  `{ due: { replicas: 1, partitions: 4 }, webhook: { replicas: 2, partitions: 4${webhook} } }`;

/** The audit's row of a verb that has put one release in the place of another. */
const deployed = (verb: string, before: number | null, after: number): AuditEntry => ({
  verb,
  subject: `release ${after}`,
  before: before === null ? null : { release: before },
  after: { release: after },
  outcome: 'done',
});

/** The audit's row of a verb that has replaced workers by new ones of the same release. */
const restarted = (verb: string, subject: string, workers: readonly string[]): AuditEntry => ({
  verb,
  subject,
  before: { workers },
  after: { restarted: workers.length },
  outcome: 'done',
});

/** Kills a worker and prints how long it is until another process runs, and until that is ready. */
async function killedAndBack(name: string): Promise<void> {
  const before = rolled.pids().get(name) as number;
  const begunMs = systemClock.monotonic();
  const sinceMs = () => Math.round(systemClock.monotonic() - begunMs);
  process.kill(before, 'SIGKILL');
  await until('another process runs', () => (rolled.pids().get(name) ?? before) !== before);
  const runs = sinceMs();
  const [component] = name.split('-') as [string];
  await until(
    'it is ready',
    async () => (await rolled.ready()).includes(name) && (await rolled.owned(component)) === 4,
  );
  process.stderr.write(`${name}: runs again ${runs} ms after SIGKILL, has partitions after ${sinceMs()} ms\n`);
}

test('a worker that would be the same in the new release is left alone, and nothing is lost, early or sent twice when the others are replaced, scaled and rolled back under load', async () => {
  rolled.topology(small(''));
  expect(await rolled.deploy()).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Release \d+ is live\.$/m) });
  const [first] = await rolled.history();
  expect(first).toMatchObject({ outcome: 'live', reason: 'deploy' });
  const one = first?.number as number;
  rolled.beginLoad(RATE);

  rolled.topology(small(', timeout: 9s'));
  const { code, stdout } = await rolled.deploy('--json');
  expect(code).toBe(0);
  const two = (JSON.parse(stdout) as { release: number }).release;
  expect(await rolled.running()).toEqual([
    `due-1 of release ${one}`,
    `webhook-1 of release ${two}`,
    `webhook-2 of release ${two}`,
  ]);

  const before = await rolled.history();
  const rehearsals: readonly (readonly [verb: readonly string[], says: RegExp])[] = [
    [['scale', 'webhook=3'], /^webhook +replicas 2 → 3 /m],
    [['rollback', String(one)], /^workers +2 of 3 are replaced \(webhook\)/m],
    [['restart', 'webhook'], /^webhook-1, webhook-2 would be restarted/m],
    [['rebalance'], /^No worker would be offered to other hosts/m],
    [['kill'], /^due-1, webhook-1, webhook-2 would end/m],
  ];
  for (const [verb, says] of rehearsals) {
    expect(await rolled.asOperator([...verb, '--dry-run'])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(says),
    });
  }
  expect(await rolled.cli(['scale', 'webhook.partitions=2', '--dry-run'])).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/due\.webhook has 4 partitions, .* cannot be taken away/),
  });
  expect(await rolled.history()).toEqual(before);

  const up = await rolled.cli(['scale', 'webhook=3', '--yes', '--json']);
  const { release: three, remarks } = JSON.parse(up.stdout) as { release: number; remarks: string[] };
  expect(remarks).toEqual([
    expect.stringMatching(/topology\.yaml differs now: webhook\.replicas is 2 in the file and 3 in/),
  ]);
  expect(await rolled.running()).toContain(`webhook-3 of release ${three}`);
  expect(await rolled.cli(['scale', 'webhook=9', '--yes'])).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/partition/),
  });

  expect(await rolled.cli(['rollback', String(one), '--yes', '--pause', '0s'])).toMatchObject({ code: 0 });
  // With neither the workers' nor the administrator's user: the supervisor and its workers have what they need.
  expect(await rolled.asOperator(['restart', 'webhook'])).toMatchObject({
    code: 0,
    stdout: 'webhook was restarted.\n',
  });
  expect(await rolled.asOperator(['rebalance'])).toMatchObject({
    code: 0,
    stdout: 'The workers are spread evenly already.\n',
  });
  const { stdout: suggested } = await rolled.asOperator(['scale', '--suggest', '--json']);
  expect(JSON.parse(suggested)).toEqual([
    expect.objectContaining({
      channel: 'webhook',
      replicas: 2,
      partitions: 4,
      perWorker: expect.any(Number),
      needed: 1,
    }),
  ]);
  const history = await rolled.history();
  const four = history[0]?.number as number;
  expect(await rolled.running()).toEqual([
    `due-1 of release ${one}`,
    `webhook-1 of release ${four}`,
    `webhook-2 of release ${four}`,
  ]);
  expect(history.map(({ outcome, reason }) => [outcome, reason])).toEqual([
    ['live', `rollback to ${one}`],
    ['superseded', 'scale webhook=3'],
    ['superseded', 'deploy'],
    ['superseded', 'deploy'],
  ]);
  const verbs = ['deploy', 'scale', 'rollback', 'restart', 'rebalance'];
  // Neither a rehearsal nor what was refused is among them.
  expect(await rolled.audited(...verbs)).toEqual([
    deployed('deploy', null, one),
    deployed('deploy', one, two),
    deployed('scale', two, three),
    deployed('rollback', three, four),
    restarted('restart', 'webhook', ['webhook-1', 'webhook-2']),
    restarted('rebalance', 'all', []),
  ]);
  await killedAndBack('webhook-1');
  expect(await rolled.verdict()).toEqual([]);
});

test("no account's messages overtake each other while their stream gets more partitions under load, and nothing is lost or sent twice when that of changes does", async () => {
  rolled.topology(small(''));
  expect(await rolled.deploy()).toMatchObject({ code: 0 });
  const first = (await rolled.history())[0]?.number;
  rolled.beginLoad(RATE);
  rolled.topology('{ due: { replicas: 1, partitions: 4 }, webhook: { replicas: 2, partitions: 6 } }');
  expect(await rolled.deploy()).toMatchObject({ code: 0 });
  expect(await rolled.overtaken()).toEqual([]);
  rolled.topology('{ due: { replicas: 1, partitions: 6 }, webhook: { replicas: 2, partitions: 6 } }');
  const { code, stderr } = await rolled.deploy();
  expect({ code, stderr }).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/schedule-changes: 6 partitions; sends paused/),
  });
  for (const component of ['webhook', 'due']) {
    await until(`all partitions of ${component} are reported`, async () => (await rolled.owned(component)) === 6);
  }
  // Fewer is refused, and going back keeps what is there.
  rolled.topology(small(''));
  expect(await rolled.deploy()).toMatchObject({ code: 1, stderr: expect.stringMatching(/Kafka takes none away/) });
  expect(await rolled.cli(['rollback', String(first), '--yes', '--pause', '0s'])).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/keeps its 6 partitions/),
  });
  expect(await rolled.verdict()).toEqual([]);
});

test('a release that fails leaves the old one running, and a deploy that was interrupted or killed is continued by the next one', async () => {
  rolled.topology(small(''));
  expect(await rolled.deploy()).toMatchObject({ code: 0 });
  const one = (await rolled.history())[0]?.number as number;
  rolled.beginLoad(RATE);

  expect(await rolled.cli(['rollback', String(one + 5), '--yes'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(`There is no release ${one + 5}. There are ${one} to ${one}`),
  });
  const broken = await rolled.unrunnable();
  const failed = await rolled.cli(['rollback', String(broken), '--yes', '--pause', '0s']);
  expect(failed).toMatchObject({ code: 1, stdout: expect.stringMatching(/failed: due-1 .*\nRelease \d+ runs\./s) });
  expect((await rolled.history())[0]).toMatchObject({ outcome: 'failed' });
  const old = [`due-1 of release ${one}`, `webhook-1 of release ${one}`, `webhook-2 of release ${one}`];
  expect(await rolled.running()).toEqual(old);

  const bad = await rolled.failing();
  const halted = await rolled.cli(['rollback', String(bad), '--yes', '--pause', '60s']);
  expect(halted).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(
      /was rolled back: \d+ % \(.*\) of the new release's attempts fail\nRelease \d+ runs\./,
    ),
  });
  expect((await rolled.history())[0]).toMatchObject({ outcome: 'rolled_back' });
  expect(await rolled.running()).toEqual(old);

  const wentBack = (outcome: RegExp) => ({
    verb: 'rollback',
    subject: expect.stringMatching(/^release \d+$/),
    before: { release: one },
    after: { release: one },
    outcome: expect.stringMatching(outcome),
  });
  expect(await rolled.audited('rollback')).toEqual([
    wentBack(/^failed: due-1 /),
    wentBack(/^rolled_back: \d+ % .* of the new release's attempts fail$/),
  ]);

  // The command dies while it goes back, and the next one does so in its place.
  const again = ['rollback', String(bad), '--yes', '--pause', '60s'];
  expect(await rolled.killAt(/^halted: .*; going back to release/, again)).toBeNull();
  expect((await rolled.history())[0]).toMatchObject({ outcome: 'deploying' });
  const halfBack = (await rolled.history())[0]?.number;
  await rolled.forgetDeployer();
  expect(await rolled.cli(['rollback', '--yes', '--pause', '0s'])).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(new RegExp(`rollback ${bad}. goes on, .downspout rollback ${one}. takes it back`)),
  });
  expect(await rolled.cli(['rollback', String(one), '--yes', '--pause', '0s'])).toMatchObject({ code: 0 });
  const back = await rolled.running();
  expect(back.map((text) => text.replace(/ .*/, ''))).toEqual(['due-1', 'webhook-1', 'webhook-2']);
  expect(back.filter((text) => text.endsWith(` release ${halfBack}`))).toEqual([]);

  // It dies while the first workers are watched, and a rollback takes them back.
  rolled.topology(small(', timeout: 11s'));
  const watched = rolled.deployArguments('--canary', '1', '--pause', '60s');
  expect(await rolled.killAt(/^watching the first workers for 60 s/, watched)).toBeNull();
  const [canary] = await rolled.history();
  expect(canary).toMatchObject({ outcome: 'deploying' });
  await rolled.forgetDeployer();
  expect(await rolled.cli(['rollback', '--yes', '--pause', '0s'])).toMatchObject({ code: 0 });
  expect((await rolled.running()).filter((text) => text.endsWith(` release ${canary?.number}`))).toEqual([]);

  // It dies at each of its steps, also while a stream gets more partitions, and the next one goes on with the same release.
  rolled.topology(grown(', timeout: 9s'));
  const steps: readonly (readonly RegExp[])[] = [
    [/^release \d+:/, /^due\.webhook: 4 → 6 partitions; sends of webhook pause$/],
    [/^due\.webhook: 6 partitions; sends of webhook paused for/, /^topics:/],
    [/^connector:/, /^changes:/],
    [/^webhook-1 is replaced \(1 of 2\)/, /^webhook-2 is replaced \(1 of 1\)/],
  ];
  const isHalfDone = async () => {
    expect((await rolled.history())[0]).toMatchObject({ outcome: 'deploying' });
    const names = (await rolled.running()).map((text) => text.replace(/ .*/, ''));
    expect(new Set(names)).toEqual(new Set(['due-1', 'webhook-1', 'webhook-2']));
  };
  for (const step of shareOfToday(steps, DAYS).flat()) {
    expect([step, await rolled.killAt(step)]).toEqual([step, null]);
    await isHalfDone();
    await rolled.forgetDeployer();
  }
  expect(await rolled.killAt('live')).toBeNull();
  await isHalfDone();
  const [half] = await rolled.history();
  const continued = await rolled.deploy();
  expect(continued).toMatchObject({ code: 0, stdout: `Release ${half?.number} is live.\n` });
  expect(await rolled.running()).toEqual([
    `due-1 of release ${one}`,
    `webhook-1 of release ${half?.number}`,
    `webhook-2 of release ${half?.number}`,
  ]);

  // Two at once, with something to do: one of them is told of the other.
  rolled.topology(grown(', timeout: 8s'));
  const both = await Promise.all([rolled.deploy(), rolled.deploy()]);
  expect(both.filter(({ code }) => code === 0)).toHaveLength(1);
  expect(both.find(({ code }) => code === 1)?.stderr).toMatch(/has been at `deploy.*` since .*Nothing was changed/s);
  expect((await rolled.audited('deploy')).slice(-2)).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ before: { release: half?.number }, outcome: 'done' }),
      expect.objectContaining({ subject: '', outcome: expect.stringMatching(/^failed: .* has been at `deploy/s) }),
    ]),
  );

  expect(await rolled.asOperator(['drain', 'webhook'])).toMatchObject({ code: 0 });
  const drained = rolled.receiver.journal.length;
  expect(await rolled.cli(['resume', 'webhook'])).toMatchObject({ code: 0 });
  await until('messages are sent again', () => rolled.receiver.journal.length > drained);
  expect(await rolled.verdict()).toEqual([]);
});

test('a deploy that dies amid a migration, or while the stream of changes gets more partitions, is continued by the next one', async () => {
  rolled.topology(small(''));
  expect(await rolled.deploy()).toMatchObject({ code: 0 });
  rolled.beginLoad(RATE);
  expect(await rolled.killInMigration()).toBeNull();
  expect(await rolled.deploy()).toMatchObject({ code: 0, stdout: expect.stringMatching(/is live already/) });

  rolled.topology('{ due: { replicas: 1, partitions: 6 }, webhook: { replicas: 2, partitions: 4 } }');
  // While sends pause, and when the partitions are there but the spouts have not begun again.
  for (const step of [/^schedule-changes: 4 → 6 partitions; all sends pause$/, /^changes:/]) {
    expect([step, await rolled.killAt(step)]).toEqual([step, null]);
    await rolled.forgetDeployer();
  }
  expect(await rolled.deploy()).toMatchObject({ code: 0, stdout: expect.stringMatching(/is live\.\n$/) });
  await until('all partitions are reported', async () => (await rolled.owned('due')) === 6);
  expect(await rolled.verdict()).toEqual([]);
});

test('what was decided before somebody else deployed is not carried out', async () => {
  rolled.topology(small(''));
  expect(await rolled.deploy()).toMatchObject({ code: 0 });
  rolled.topology(small(', timeout: 9s'));
  for (const wanted of [rolled.deployArguments(), ['scale', 'webhook=1', '--yes']]) {
    const live = (await rolled.history())[0]?.number as number;
    await rolled.sql.run(
      'INSERT INTO deploy_lock (id, holder, who, host, doing, since, lease_until) ' +
        "VALUES (1, UNHEX(REPEAT('0', 32)), 'bob', 'h', 'scale webhook=3', 0, UNIX_TIMESTAMP() * 1000 + 600000)",
    );
    const lines: string[] = [];
    let deploying: Promise<unknown> | undefined;
    const code = await rolled.begin(wanted, (line) => {
      lines.push(line);
      if (!line.includes('waiting to see')) return;
      deploying ??= rolled.sql.transaction(async (sql) => {
        await sql.run(`UPDATE releases SET outcome='superseded' WHERE number=${live}`);
        await sql.run(
          'INSERT INTO releases (specification, package_version, image, program, target, reason, who, host, created_at, outcome) ' +
            "SELECT specification, package_version, image, program, target, 'scale webhook=3', 'bob', 'h', created_at, 'live' " +
            `FROM releases WHERE number=${live}`,
        );
        await sql.run('DELETE FROM deploy_lock');
      });
    });
    await deploying;
    expect({ code, said: lines.join('\n') }).toEqual({
      code: 1,
      said: expect.stringMatching(
        /Release \d+ \(scale webhook=3\) was deployed by bob on h since .*Nothing was changed/,
      ),
    });
  }
  const theirs = 'scale webhook=3';
  expect((await rolled.history()).map(({ reason }) => reason)).toEqual([theirs, theirs, 'deploy']);
});
