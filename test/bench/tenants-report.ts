import { Output } from '../../deploy/console/output';
import { formatCount } from '../../deploy/console/units';
import { machine } from './report';
import type { TenantFigures } from './tenants';

/** What must hold beside every hostile tenant. */
const MAX_P95_MS = 250;
const MAX_PAGE_MS = 50;
/** By a tenant that is over its limit. */
const MAX_ADDED_P99_MS = 100;
const MAX_PEAK_BYTES = 400 * 1024 ** 2;

/** @returns the bounds that were missed, for people */
export function missedOf({
  others,
  peakBytes,
  deaths,
  stuckPartitions,
  pageMs,
  addedP99Ms,
  hostile: { failed = 0 },
  refused,
}: TenantFigures): string[] {
  return [
    ...(others.p95 === null || others.p95 > MAX_P95_MS ? [`p95 over ${MAX_P95_MS} ms`] : []),
    ...(others.missing > 0 ? [`${others.missing} missing`] : []),
    ...(peakBytes > MAX_PEAK_BYTES ? ['over 400 MiB'] : []),
    ...(deaths > 0 ? [`${deaths} workers died`] : []),
    ...(pageMs !== null && pageMs > MAX_PAGE_MS ? [`a page over ${MAX_PAGE_MS} ms`] : []),
    ...(addedP99Ms !== null && addedP99Ms >= MAX_ADDED_P99_MS ? [`adds ${formatCount(addedP99Ms)} ms to p99`] : []),
    ...(stuckPartitions > 0 ? [`${stuckPartitions} partitions stand still`] : []),
    // What is refused harms nobody, so the rest says nothing.
    ...(failed > refused ? [`${failed - refused} of the tenant failed`] : []),
    ...(failed < refused ? [`${refused - failed} of the tenant were not refused`] : []),
  ];
}

/** Prints the figures. @returns whether every bound was kept */
export function printTenants(figures: readonly TenantFigures[], json: boolean): boolean {
  const output = new Output({ json });
  const judged = figures.map((one) => ({ ...one, missed: missedOf(one) }));
  output.data({ machine: machine(), tenants: judged }, () => {
    const number = (title: string, value: (one: (typeof judged)[number]) => string) => ({
      title,
      align: 'right' as const,
      value,
    });
    return output.table(
      [
        { title: 'beside', value: ({ name }) => name },
        number('messages', ({ others }) => formatCount(others.messages)),
        number('missing', ({ others }) => formatCount(others.missing)),
        number('p50 ms', ({ others }) => late(others.p50)),
        number('p95 ms', ({ others }) => late(others.p95)),
        number('p99 ms', ({ others }) => late(others.p99)),
        number('max ms', ({ others }) => late(others.max)),
        number('bolt MiB', ({ peakBytes }) => String(Math.round(peakBytes / 1024 ** 2))),
        number('stuck', ({ stuckPartitions }) => String(stuckPartitions)),
        number('page ms', ({ pageMs }) => (pageMs === null ? '' : formatCount(pageMs))),
        number('deaths', ({ deaths }) => String(deaths)),
        { title: 'verdict', value: ({ missed }) => (missed.length === 0 ? 'holds' : missed.join(', ')) },
      ],
      judged,
    );
  });
  return judged.every(({ missed }) => missed.length === 0);
}

function late(milliseconds: number | null): string {
  return milliseconds === null ? '∞' : formatCount(milliseconds);
}
