/** Parts whose CPU time a message takes, microseconds. */
export const PARTS = ['mysql', 'connect', 'kafka', 'spouts', 'bolts'] as const;
/** Where it is logged, bytes: MySQL's binlog, and the logs of both streams in Kafka. */
export const LOGS = ['binlog', 'streams'] as const;
export type CpuCost = (typeof PARTS)[number];
export type Cost = CpuCost | (typeof LOGS)[number];
export type Costs = Readonly<Record<Cost, number>>;

/**
 * The life of a message, in the order in which it is paid for: `written` from the INSERT until the spouts have consumed the change,
 * `read` when the spouts take it from the table into memory, `sent` from its lead until the outcome is written and CDC has read that.
 */
export const PHASES = ['written', 'read', 'sent'] as const;
export type Phase = (typeof PHASES)[number];

/** What was spent since the beginning of the run. */
export interface Spent {
  readonly atMs: number;
  readonly costs: Costs;
}

/** What a message costs in a phase. */
export interface CostPoint {
  readonly phase: Phase;
  readonly payloadBytes: number;
  readonly messages: number;
  readonly costs: Costs;
}

/** How a cost grows with the payload. */
interface Line {
  /** Of every message. */
  readonly base: number;
  /** For each 1,000 bytes of its payload. */
  readonly perKb: number;
  /** How far the measured point is from the line that is furthest from it, as a share of that point. */
  readonly furthest: number;
}
export type CostLines = Readonly<Record<Cost, Line>>;

/** So many messages within so much time. */
interface Load {
  readonly messages: number;
  readonly seconds: number;
  readonly payloadBytes: number;
}

/** How busy a core may be where messages are to be on time. */
export const BUSY_SHARE = 0.7;
const MICROS = 1e6;
const KB = 1_000;

export function mapCosts(value: (cost: Cost) => number): Costs {
  return Object.fromEntries([...PARTS, ...LOGS].map((cost) => [cost, value(cost)])) as Costs;
}

/** What is spent per second between two readings. */
export function perSecond(from: Spent, to: Spent): Costs {
  const seconds = (to.atMs - from.atMs) / 1_000;
  return mapCosts((cost) => (to.costs[cost] - from.costs[cost]) / seconds);
}

/** What a message costs between two readings, without what is spent while nothing is to do. @param atRest per second */
export function perMessage(from: Spent, to: Spent, atRest: Costs, messages: number): Costs {
  const seconds = (to.atMs - from.atMs) / 1_000;
  return mapCosts((cost) => Math.max(0, to.costs[cost] - from.costs[cost] - atRest[cost] * seconds) / messages);
}

/** Of each cost the one in the middle, or the lower of the two middle ones. */
export function medianCosts(rounds: readonly Costs[]): Costs {
  return mapCosts((cost) => {
    const sorted = rounds.map((one) => one[cost]).toSorted((a, b) => a - b);
    return sorted[Math.floor((sorted.length - 1) / 2)] as number;
  });
}

export function linesOf(points: readonly CostPoint[]): CostLines {
  const lines = [...PARTS, ...LOGS].map((cost) => {
    const measured = points.map(({ payloadBytes, costs }) => ({ kb: payloadBytes / KB, value: costs[cost] }));
    return [cost, lineThrough(measured)] as const;
  });
  return Object.fromEntries(lines) as CostLines;
}

/**
 * The line whose relative errors are smallest (least squares, weighted by 1/value²): by absolute ones the largest payload alone would
 * say what a small one costs. It does not fall, and does not begin below 0.
 */
export function lineThrough(points: readonly { readonly kb: number; readonly value: number }[]): Line {
  const weighted = points.map(({ kb, value }) => ({ kb, value, weight: 1 / Math.max(value, 1) ** 2 }));
  const sum = (of: (point: (typeof weighted)[number]) => number) =>
    weighted.reduce((total, point) => total + point.weight * of(point), 0);
  const [n, x, y] = [sum(() => 1), sum(({ kb }) => kb), sum(({ value }) => value)];
  const [xx, xy] = [sum(({ kb }) => kb ** 2), sum(({ kb, value }) => kb * value)];
  const spread = n * xx - x ** 2;
  let perKb = points.length < 2 || spread === 0 ? 0 : Math.max(0, (n * xy - x * y) / spread);
  let base = (y - perKb * x) / n;
  if (base < 0) [base, perKb] = [0, xy / xx];
  const furthest = Math.max(...points.map(({ kb, value }) => Math.abs(base + perKb * kb - value) / Math.max(value, 1)));
  return { base, perKb, furthest };
}

/** What the phases need together: cores of each part that are no busier than they may be, and bytes per second of logs. */
export function needOf(phases: readonly CostLines[], { messages, seconds, payloadBytes }: Load): Costs {
  const rate = messages / seconds;
  return mapCosts((cost) => {
    const one = phases.reduce((sum, lines) => sum + lines[cost].base + (lines[cost].perKb * payloadBytes) / KB, 0);
    return cost === 'binlog' || cost === 'streams' ? one * rate : (one * rate) / MICROS / BUSY_SHARE;
  });
}
