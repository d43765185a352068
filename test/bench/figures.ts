import type { AfterDuePercentiles, ArrivalReport } from '../../deploy/demo/arrivals';
import type { Usage } from './process-usage';
import type { Workload } from './workload';

/** What one measurement gave, judged by the receiver. */
export interface Figures {
  readonly messages: number;
  readonly payloadBytes: number;
  /** Messages per second. */
  readonly rate: number;
  readonly lateness: AfterDuePercentiles | null;
  readonly early: number;
  /** Requests beyond the first of a message. */
  readonly duplicates: number;
  readonly lost: number;
  readonly usage: readonly Usage[];
  /** What the table says at the end, messages by state; of bare HTTP there is none. */
  readonly states?: Readonly<Record<string, number>>;
}

/** The one in the middle by rate, of an odd number; the slower of the two middle ones otherwise. */
export function median(rounds: readonly Figures[]): Figures {
  const sorted = rounds.toSorted((a, b) => a.rate - b.rate);
  return sorted[Math.floor((sorted.length - 1) / 2)] as Figures;
}

/**
 * @param from the first due time, epoch milliseconds: for a burst the instant at which all of it is due. The rate counts
 * from there to the last arrival.
 */
export function figuresOf(work: Workload, from: number, report: ArrivalReport, usage: readonly Usage[]): Figures {
  const seconds = report.lastAt === null ? 0 : (report.lastAt - from) / 1_000;
  return {
    messages: work.count,
    payloadBytes: work.payloadBytes,
    rate: seconds > 0 ? report.accepted / seconds : 0,
    lateness: report.afterDue,
    early: report.early,
    duplicates: report.duplicates,
    lost: work.count - report.accepted,
    usage,
  };
}
