import { Command, InvalidArgumentError, Option } from 'commander';

export interface BenchOptions {
  readonly scenario: 'bare' | 'burst' | 'steady' | 'all' | 'cold' | 'tenants' | 'table' | 'roll' | 'capacity';
  readonly count: number;
  readonly payload: readonly number[];
  readonly accounts: number;
  readonly claimAhead: 'on' | 'off' | 'both';
  readonly rounds: number;
  readonly rate: number;
  readonly seconds: number;
  readonly window: number;
  readonly held: number;
  readonly only: string;
  readonly future: number;
  readonly overdue: number;
  readonly profile: boolean;
  readonly json: boolean;
}

/** Of each round new workers are started, or replaced. */
const START_ROUNDS = 5;
/** Of each payload one crowd takes a minute and a half. */
const CAPACITY_ROUNDS = 1;
/** Far enough apart for a line. */
const CAPACITY_PAYLOADS = [250, 2_048, 10_240, 102_400];
/** So many messages show what the first ones pay for; later ones would hide it. */
const COLD_COUNT = 2_000;

export function parseOptions(argv: readonly string[]): BenchOptions {
  const command = new Command('npm run bench --')
    .description('Measures deliveries through the whole stack against bare HTTP in the same run.')
    .addOption(
      new Option('--scenario <name>', 'what to measure')
        .choices(['bare', 'burst', 'steady', 'all', 'cold', 'tenants', 'table', 'roll', 'capacity'])
        .default('all'),
    )
    .option(
      '--count <messages>',
      'messages of a burst (2,000 in the scenario cold unless given; in the scenario capacity 100 MB of payload at most)',
      wholeNumber,
      20_000,
    )
    .option(
      '--payload <bytes...>',
      'size of the payload column (250, 2048, 10240 and 102400 in the scenario capacity unless given)',
      wholeNumbers,
      [250, 2_048],
    )
    .option('--accounts <count>', 'accounts of uneven size', wholeNumber, 5_000)
    .addOption(new Option('--claim-ahead <which>', 'for bursts').choices(['on', 'off', 'both']).default('both'))
    .option(
      '--rounds <count>',
      'of each burst; the median by rate is reported (5 in the scenarios cold and roll, 1 in the scenario capacity unless given; there the median of each cost)',
      wholeNumber,
      3,
    )
    .option('--rate <messages>', 'per second, of the steady stream', wholeNumber, 500)
    .option('--seconds <count>', 'of the steady stream', wholeNumber, 20)
    .option('--window <seconds>', 'in which others are judged beside each hostile tenant', wholeNumber, 60)
    .option('--held <seconds>', 'for which a transaction holds a due row, in the scenario tenants', wholeNumber, 600)
    .option('--only <expression>', 'hostile tenants whose name fits this expression', '')
    .option(
      '--future <rows>',
      'due in a year: measure again beside them; how full the table is in the scenario table (a million unless given)',
      wholeNumber,
      0,
    )
    .option(
      '--overdue <rows>',
      'on a paused channel: measure again beside them; of one account in the scenario tenants (a million unless given)',
      wholeNumber,
      0,
    )
    .option(
      '--profile',
      'one more round of each burst, with a CPU profile of every process of ours within the drain, by cause',
      false,
    )
    .option('--json', 'print the report as JSON', false);
  const options = command.parse([...argv]).opts<BenchOptions>();
  const isGiven = (option: string) => command.getOptionValueSource(option) !== 'default';
  const startsWorkers = options.scenario === 'roll' || options.scenario === 'cold';
  return {
    ...options,
    ...(startsWorkers && !isGiven('rounds') ? { rounds: START_ROUNDS } : {}),
    ...(options.scenario === 'capacity' && !isGiven('rounds') ? { rounds: CAPACITY_ROUNDS } : {}),
    ...(options.scenario === 'capacity' && !isGiven('payload') ? { payload: CAPACITY_PAYLOADS } : {}),
    ...(options.scenario === 'cold' && !isGiven('count') ? { count: COLD_COUNT } : {}),
  };
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('expected a whole number');
  return value;
}

const given = new WeakSet<readonly number[]>();

/** Gathers the values of one option; the first replaces the default. */
function wholeNumbers(text: string, before: readonly number[]): readonly number[] {
  const values = [...(given.has(before) ? before : []), wholeNumber(text)];
  given.add(values);
  return values;
}
