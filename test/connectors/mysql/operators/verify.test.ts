import { Operations } from '../../../../connectors/mysql/operators/operations';
import { type Invariant } from '../../../../connectors/mysql/operators/verify/seen';
import { type VerifyReport, verify } from '../../../../connectors/mysql/operators/verify/verify';
import { BY_PERSON } from '../../../../connectors/mysql/schema/doubt';
import { Pool } from '../../../../connectors/mysql/sql/pool';
import { systemClock } from '../../../../topology/core/clock';
import { required } from '../../../../topology/settings/environment';
import { runCli, variablesOf } from '../../../support/stack/cli';
import { freshDatabase, type World } from '../../../support/stack/stack';

const ALIVE = 'aa'.repeat(16);
const DEAD = 'dd'.repeat(16);
const UNKNOWN = 'ee'.repeat(16);
const HOUR = 3_600_000;
const PAYLOAD = JSON.stringify({ url: 'http://127.0.0.1/', body: '🚀 né' });

let world: World;
let app: Pool;
let admin: Pool;
/** By the database's clock, when the scene was set. */
let now: number;

beforeAll(async () => {
  world = await freshDatabase();
  const open = (name: 'DATABASE_URL' | 'ADMIN_DATABASE_URL') =>
    Pool.open(required(world.environment, name), { clock: systemClock, size: 2 });
  [app, admin] = [open('DATABASE_URL'), open('ADMIN_DATABASE_URL')];
}, 60_000);
afterAll(async () => {
  await Promise.all([app.close(), admin.close()]);
  await world.close();
});
beforeEach(async () => {
  for (const table of [
    'scheduled_messages',
    'delivery_attempts',
    'workers',
    'pauses',
    'account_states',
    'verify_mark',
  ]) {
    await admin.run(`TRUNCATE TABLE ${table}`);
  }
  const [[seconds] = ['0']] = await admin.rows<[string]>('SELECT UNIX_TIMESTAMP(NOW(3))');
  now = Math.round(Number(seconds) * 1000);
  await worker(ALIVE, { lease_until: now + HOUR });
  await worker(DEAD, { lease_until: now - HOUR, dead: 1 });
});

type Values = Readonly<Record<string, string | number | null>>;

async function insert(table: string, values: Values): Promise<number> {
  const sql = Object.values(values).map((value) => (value === null ? 'NULL' : String(value)));
  const { insertId } = await admin.run(
    `INSERT INTO ${table} (${Object.keys(values).join(',')}) VALUES (${sql.join(',')})`,
  );
  return insertId;
}

async function worker(session: string, values: Values): Promise<void> {
  const components = `'["due","webhook"]'`;
  await insert('workers', {
    session: `x'${session}'`,
    components,
    host: "'h'",
    pid: 1,
    version: "'1'",
    started_at: now - 3 * HOUR,
    ...values,
  });
}

/** A message that was delivered an hour ago, as it should be, but for what is changed. */
async function message(row: Values = {}, attempts: readonly Values[] = [{}]): Promise<number> {
  const at = now - HOUR;
  const id = await insert('scheduled_messages', {
    account: "'a'",
    channel: "'webhook'",
    payload: `CONVERT(X'${Buffer.from(PAYLOAD).toString('hex')}' USING utf8mb4)`,
    due_at: at,
    state: "'delivered'",
    attempts: 1,
    claim: `x'${ALIVE}'`,
    delivered_at: at + 10,
    receipt: "'r'",
    updated_at: `FROM_UNIXTIME(${(at + 100) / 1000})`,
    ...row,
  });
  for (const attempt of attempts) {
    await insert('delivery_attempts', {
      message_id: id,
      version: 1,
      session: `x'${ALIVE}'`,
      wake_at: at,
      content_hash: `(SELECT UNHEX(SHA2(CAST(payload AS CHAR), 256)) FROM scheduled_messages WHERE id=${id})`,
      started_at: at + 4,
      finished_at: at + 10,
      outcome: "'delivered'",
      settled: "'delivered'",
      receipt: "'r'",
      recorded_at: `FROM_UNIXTIME(${(at + 100) / 1000})`,
      ...attempt,
    });
  }
  return id;
}

function run(patienceMs = 900_000): Promise<VerifyReport> {
  return verify(app, {
    classOf: (channel) => (channel === 'webhook' ? 'idempotent' : 'blind'),
    patienceMs,
    examples: 3,
  });
}

async function violated(): Promise<Partial<Record<Invariant, (number | null)[]>>> {
  const { findings } = await run();
  const broken = findings.filter(({ violations }) => violations > 0);
  return Object.fromEntries(broken.map(({ invariant, examples }) => [invariant, examples.map(({ id }) => id)]));
}

function cli(...args: string[]) {
  return runCli(['verify', ...args], { environment: variablesOf(world.environment) });
}

const open = { delivered_at: null, receipt: null };
const retry = { outcome: "'retry'", settled: "'scheduled'", receipt: null };
const dead = { session: `x'${DEAD}'` };
const recent = { recorded_at: 'NOW(6)' };
const again = () => ({ version: 2, wake_at: now - HOUR, started_at: now - HOUR + 20 });
const twice = { version: 2, attempts: 2 };
const sending = { ...open, state: "'sending'" };
const paused = () => new Operations(app).pause({ channel: 'webhook', account: 'a' });

/** A message that was suspended an hour ago, and what its account has been since. */
async function suspended(state: string): Promise<number> {
  await insert('account_states', { account: "'a'", channel: "'webhook'", state: `'${state}'`, since: now - HOUR });
  const attempt = { ...retry, outcome: "'unusable'", settled: "'suspended'", started_at: null };
  return message({ ...open, state: "'suspended'", attempts: 0 }, [attempt]);
}

/** A message that was not sent in time. */
function late(state: 'failed' | 'late', more: Values = {}): Promise<number> {
  const attempt = { ...retry, outcome: "'late'", settled: `'${state}'`, started_at: null };
  return message({ ...open, state: `'${state}'`, late: state === 'failed' ? 1 : 0, attempts: 0, ...more }, [attempt]);
}

const healthy: readonly (readonly [what: string, plant: () => Promise<unknown>])[] = [
  ['nothing at all', async () => undefined],
  ['a delivered message', () => message()],
  ['a retry that was delivered', () => message(twice, [retry, again()])],
  [
    'one that waits for its time',
    () => message({ ...open, state: "'scheduled'", due_at: now + HOUR, attempts: 0 }, []),
  ],
  ['one that has just woken', () => message({ ...open, state: "'scheduled'", updated_at: 'NOW(6)', attempts: 0 }, [])],
  [
    'one of a channel without a sender',
    () => message({ ...open, channel: "'x'", state: "'scheduled'", attempts: 0 }, []),
  ],
  [
    'one of an account that is paused',
    async () => {
      await paused();
      await message({ ...open, state: "'scheduled'", attempts: 0 }, []);
    },
  ],
  [
    'a long line of an account that moves',
    async () => {
      await message({ ...open, state: "'scheduled'", attempts: 0 }, []);
      await message({}, [{ recorded_at: 'NOW(6)' }]);
    },
  ],
  ['one whose account cannot be used', () => suspended('unusable')],
  ['one that a person keeps back', () => suspended('usable')],
  ['one that was skipped because it was late', () => late('failed')],
  ['one that waits for a person because it was late', () => late('late')],
  ['one that is being sent', () => message({ ...sending, updated_at: 'NOW(6)' }, [])],
  ['one that is delivered by the ledger, and whose row is not settled yet', () => message({ ...sending }, [recent])],
  [
    'one that was sent by a worker which died, and is in doubt because nobody has looked at the ledger',
    () =>
      message({ ...open, ...twice, state: "'scheduled'", in_doubt: 1, updated_at: 'NOW(6)' }, [
        { ...dead, ...recent, started_at: now - HOUR - 1, wake_at: now - HOUR - 9 },
      ]),
  ],
  ['one whose worker has just died', () => message({ ...sending, claim: `x'${DEAD}'`, updated_at: 'NOW(6)' }, [])],
  [
    'an attempt whose outcome was written after its worker was given up',
    () =>
      message({ ...twice, in_doubt: 1 }, [{ ...dead, started_at: now - HOUR - 1, wake_at: now - HOUR - 9 }, again()]),
  ],
  [
    'one that was delivered and then planned again',
    () =>
      message({
        ...open,
        state: "'scheduled'",
        due_at: now + HOUR,
        version: 2,
        plan_number: 2,
        plan_version: 2,
        attempts: 0,
      }),
  ],
  [
    'one that was planned again and delivered again',
    () => message({ ...twice, plan_number: 2, plan_version: 2 }, [{}, again()]),
  ],
  ['an answer that was lost', () => message({ ...twice, in_doubt: 1 }, [{ ...retry, outcome: "'unknown'" }, again()])],
  ['a cancel after a retry', () => message({ ...open, state: "'canceled'", version: 3 }, [retry])],
  [
    'a cancel in doubt',
    () => message({ ...open, state: "'uncertain'", in_doubt: 1, version: 3 }, [{ ...retry, outcome: "'unknown'" }]),
  ],
  [
    'one that was uncertain and that a person settled',
    () =>
      message({ in_doubt: 1, delivered_at: 5 }, [
        { outcome: "'unknown'", settled: "'uncertain'", receipt: null },
        { session: `x'${BY_PERSON}'`, started_at: null },
      ]),
  ],
  [
    'content that was changed after the end',
    () => message({ updated_at: 'NOW(6)', payload: `'{}'` }, [{ content_hash: `x'${'00'.repeat(32)}'` }]),
  ],
  [
    'attempts of a message that is gone',
    async () => {
      const id = await message();
      await admin.run(`DELETE FROM scheduled_messages WHERE id=${id}`);
      await message();
    },
  ],
];

const planted: readonly (readonly [what: string, invariant: Invariant, plant: () => Promise<number>])[] = [
  ['one that nobody sends', 'I1', () => message({ ...open, state: "'scheduled'", attempts: 0 }, [])],
  ['one that a living worker has forgotten', 'I1', () => message(sending, [])],
  ['one that is delivered by the ledger, and whose row a living worker has forgotten', 'I1', () => message(sending)],
  ['an early attempt', 'I2', () => message({}, [{ started_at: now - HOUR - 1 }])],
  [
    'an attempt after a cancel',
    'I3',
    () => message({ ...open, state: "'canceled'", version: 3 }, [{ ...retry, started_at: now - HOUR + 101 }]),
  ],
  [
    'an attempt of a canceled plan',
    'I3',
    () => message({ ...open, state: "'canceled'", version: 3 }, [{ ...retry, version: 3 }]),
  ],
  ['old content', 'I3', () => message({}, [{ content_hash: `x'${'00'.repeat(32)}'` }])],
  ['a message sent again though it was delivered', 'I4', () => message(twice, [{}, again()])],
  [
    'a message that was planned again before it was sent again though it was delivered',
    'I4',
    () => message({ ...twice, plan_number: 2 }, [{}, again()]),
  ],
  [
    'a blind message sent again',
    'I4',
    () => message({ ...twice, channel: "'x'", in_doubt: 1 }, [{ ...retry, outcome: "'unknown'" }, again()]),
  ],
  ['one version sent by two', 'I4', () => message({}, [{}, { ...dead, started_at: null }])],
  [
    'a request of the dead',
    'I4',
    () => message({}, [{ ...dead, started_at: now - HOUR + 1_000, finished_at: now - HOUR + 1_001 }]),
  ],
  ['delivered without an attempt', 'I6', () => message({}, [])],
  ['delivered with another receipt', 'I6', () => message({ receipt: "'q'" })],
  ['delivered at another time', 'I6', () => message({ delivered_at: now })],
  [
    'failed, though an attempt says delivered',
    'I6',
    () =>
      message({ ...open, state: "'failed'", version: 2 }, [
        {},
        { ...again(), outcome: "'rejected'", settled: "'failed'", ...dead, started_at: null },
      ]),
  ],
  ['failed without an attempt', 'I6', () => message({ ...open, state: "'failed'" }, [])],
  ['uncertain without doubt', 'I6', () => message({ ...open, state: "'uncertain'" }, [])],
  [
    'waiting in a version that has ended',
    'I6',
    () => message({ ...open, state: "'scheduled'", due_at: now + HOUR }, [retry]),
  ],
  [
    'a version before one that was attempted',
    'I6',
    () => message({ ...open, state: "'scheduled'", due_at: now + HOUR }, [{ ...retry, version: 2 }]),
  ],
  ['being sent by the dead', 'I6', () => message({ ...sending, claim: `x'${DEAD}'` }, [])],
  ['being sent by nobody', 'I6', () => message({ ...sending, claim: `x'${UNKNOWN}'` }, [])],
  ['suspended, though its account can be used again', 'I1', () => suspended('resuming')],
  ['late and in doubt: the provider may have it', 'I6', () => late('late', { in_doubt: 1 })],
  ['more attempts than versions', 'I7', () => message({ attempts: 2 })],
];

test.each(healthy)('nothing is said against %s', async (_, plant) => {
  await plant();
  expect(await violated()).toEqual({});
});

test.each(planted)('%s violates %s, and nothing else', async (_, invariant, plant) => {
  await message();
  const id = await plant();
  expect(await violated()).toEqual({ [invariant]: [id] });
});

test('the balance adds up, and the oldest rows are named', async () => {
  const [waiting] = [await message({ ...open, state: "'scheduled'", due_at: now - 5_000, attempts: 0 }, [])];
  await message({ ...open, state: "'scheduled'", due_at: now - 4_000, attempts: 0, account: "'b'" }, []);
  const busy = await message({ ...sending, updated_at: `FROM_UNIXTIME(${(now - 2_000) / 1000})` }, []);
  await message({ ...open, state: "'canceled'" }, []);
  await message();
  const report = await run();
  expect(report.balance).toEqual([
    {
      channel: 'webhook',
      total: 5,
      scheduled: 2,
      sending: 1,
      delivered: 1,
      failed: 0,
      canceled: 1,
      uncertain: 0,
      suspended: 0,
      late: 0,
    },
  ]);
  expect(report).toMatchObject({
    messages: 5,
    attempts: 1,
    oldestWaiting: { id: waiting, channel: 'webhook', account: 'a', since: now - 5_000 },
    oldestSending: { id: busy, since: now - 2_000 },
  });
});

test('many messages are read in parts, all violations are counted and the first are named', async () => {
  await message({}, []);
  for (let rows = 1; rows < 4_096; rows *= 2) {
    await admin.run(
      'INSERT INTO scheduled_messages (account, channel, payload, due_at, state, attempts) ' +
        'SELECT account, channel, payload, due_at, state, attempts FROM scheduled_messages',
    );
  }
  const shares: number[] = [];
  const report = await verify(app, {
    classOf: () => 'idempotent',
    patienceMs: 0,
    examples: 2,
    report: (_, share) => shares.push(share),
  });
  expect(report.messages).toBe(4_096);
  expect(report.findings[5]).toMatchObject({ invariant: 'I6', violations: 4_096 });
  expect(report.findings[5]?.examples).toHaveLength(2);
  expect(shares.length).toBeGreaterThan(2);
  expect(shares.at(-1)).toBe(1);
});

const incremental = () =>
  verify(app, { classOf: () => 'idempotent', patienceMs: 900_000, examples: 9, sinceMark: true });

const found = async () => {
  const { findings } = await incremental();
  return findings.flatMap(({ invariant, examples }) => examples.map(({ id }) => `${invariant} ${id}`));
};

describe('since the last time that nothing was found', () => {
  const old = 'recorded_at=NOW(6) - INTERVAL 1 DAY';

  test('only new messages, those with new attempts, and overdue ones are checked, each once', async () => {
    for (let n = 0; n < 5; n += 1) await message({}, [{ recorded_at: 'NOW(6) - INTERVAL 1 DAY' }]);
    const [first, second] = (await admin.rows<[number]>('SELECT id FROM scheduled_messages ORDER BY id LIMIT 2')).map(
      ([id]) => id,
    );
    expect(await incremental()).toMatchObject({ since: null, messages: 5 });
    expect(await incremental()).toMatchObject({ since: expect.any(Number), messages: 0 });
    const fresh = await message();
    await admin.run(
      `UPDATE scheduled_messages SET state='scheduled', delivered_at=NULL, receipt=NULL WHERE id=${second}`,
    );
    await admin.run(
      `INSERT INTO delivery_attempts (message_id, version, session, wake_at, content_hash, finished_at, outcome, settled) VALUES (${first}, 2, x'${ALIVE}', 0, x'${'00'.repeat(32)}', 0, 'retry', 'scheduled')`,
    );
    const report = await incremental();
    expect(report).toMatchObject({ messages: 3 });
    expect(
      report.findings.flatMap(({ examples }) => examples.map(({ id }) => id as number)).toSorted((a, b) => a - b),
    ).toEqual([first, second, second]);
    expect(fresh).toBeGreaterThan(second as number);
  });

  test('what is overdue is found in more channels than are looked into one by one, each once', async () => {
    await message({}, [{ recorded_at: 'NOW(6) - INTERVAL 1 DAY' }]);
    const rows = Array.from({ length: 110 }, (_, n) => `('a', 'channel-${n}', '{}', ${now - 5_000})`);
    await admin.run(
      `INSERT INTO scheduled_messages (account, channel, payload, due_at) VALUES ${rows.slice(1).join(', ')}`,
    );
    await incremental();
    await admin.run(`INSERT INTO scheduled_messages (account, channel, payload, due_at) VALUES ${rows[0]}`);
    expect((await incremental()).messages).toBe(110);
  });

  test('what was found is found again until it is gone', async () => {
    const id = await message({}, []);
    expect([await found(), await found()]).toEqual([[`I6 ${id}`], [`I6 ${id}`]]);
    await admin.run(`DELETE FROM scheduled_messages WHERE id=${id}`);
    expect([await found(), (await incremental()).since]).toEqual([[], expect.any(Number)]);
  });

  test('attempts that may not have been committed in time are read again', async () => {
    await message({}, [{ recorded_at: 'NOW(6)' }]);
    await incremental();
    expect(await incremental()).toMatchObject({ messages: 1, attempts: 1 });
    await admin.run(`UPDATE delivery_attempts SET ${old}`);
    await incremental();
    expect(await incremental()).toMatchObject({ messages: 0 });
  });

  test('a message with many new attempts is checked once', async () => {
    await message({}, [{ recorded_at: 'NOW(6) - INTERVAL 1 DAY' }]);
    await incremental();
    const id = await message();
    await incremental();
    const rows = Array.from(
      { length: 2_500 },
      (_, n) => `(${id}, ${n + 10}, x'${ALIVE}', 0, x'${'00'.repeat(32)}', 0, 'retry', 'scheduled')`,
    );
    await admin.run(
      `INSERT INTO delivery_attempts (message_id, version, session, wake_at, content_hash, finished_at, outcome, settled) VALUES ${rows.join(',')}`,
    );
    expect((await incremental()).messages).toBe(1);
  });
});

describe('downspout verify', () => {
  test('says that all holds, and ends with 0', async () => {
    await message();
    const { code, stdout, stderr } = await cli();
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/webhook +1 +1 +0 +0 +0 +0 +0 +0 +0\n/);
    expect(stdout).toMatch(/I6 +holds +the row tells the truth\n/);
    expect(stdout).toMatch(/I5 +not seen /);
    expect(stdout).toMatch(/What other witnesses are needed for\nI1 {2}the clients' log/);
    expect(stdout).not.toContain('Violations');
  });

  test('names what breaks which invariant, and ends with 1', async () => {
    const ids = [await message({}, []), await message({}, []), await message({}, [])];
    const { code, stdout } = await cli('--examples', '2');
    expect(code).toBe(1);
    expect(stdout).toContain('VIOLATED by 3');
    expect(stdout).toContain(`I6  message ${ids[0]}: delivered, and no attempt says so`);
    expect(stdout).toContain('and 1 more');
    const json = await cli('--json', '--examples', '1');
    expect(json.code).toBe(1);
    const report = JSON.parse(json.stdout) as { findings: unknown[] };
    expect(report).toMatchObject({ messages: 3, balance: [{ channel: 'webhook', total: 3, delivered: 3 }] });
    expect(report.findings[5]).toMatchObject({
      invariant: 'I6',
      verdict: 'violated',
      violations: 3,
      examples: [{ id: ids[0], reason: 'delivered, and no attempt says so' }],
    });
  });

  test('refuses what it does not understand', async () => {
    expect((await cli('--patience', '5')).code).toBe(2);
    expect((await cli('--examples', '0')).code).toBe(2);
  });
});
