/** `12,345`: the same on every machine, whatever its locale. */
export function formatCount(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}

/** `1 worker`, `2 workers`. @param many `workers are`, where it is not `one` and an s: `worker is` */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** Milliseconds with the unit that reads best: `7 ms`, `1.25 s`, `3 min 20 s`, `5 h 2 min`, `12 d 3 h`. */
export function formatDuration(milliseconds: number): string {
  if (!Number.isFinite(milliseconds)) return '–';
  if (milliseconds < 0) return `-${formatDuration(-milliseconds)}`;
  if (milliseconds < 999.5) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 9_995) return `${(milliseconds / 1_000).toFixed(2)} s`;
  const seconds = Math.round(milliseconds / 1_000);
  if (seconds < 60) return `${(milliseconds / 1_000).toFixed(1)} s`;
  if (seconds < 3_600) return pair(seconds, 60, 'min', 1, 's');
  if (seconds < 86_400) return pair(seconds, 3_600, 'h', 60, 'min');
  return pair(seconds, 86_400, 'd', 3_600, 'h');
}

function pair(seconds: number, big: number, bigUnit: string, small: number, smallUnit: string): string {
  const rest = Math.floor((seconds % big) / small);
  const whole = `${formatCount(Math.floor(seconds / big))} ${bigUnit}`;
  return rest === 0 ? whole : `${whole} ${rest} ${smallUnit}`;
}

/** Epoch milliseconds as ISO 8601 in UTC, or a dash. Beyond what a Date can hold: the number itself, with its unit. */
export function formatInstant(epoch: number | null | undefined): string {
  if (epoch === null || epoch === undefined) return '–';
  const date = new Date(epoch);
  return Number.isNaN(date.getTime()) ? `${epoch} ms` : date.toISOString();
}

/** `3 min 20 s ago`, `in 12 s`. Both are epoch milliseconds. */
export function formatRelative(epoch: number, now: number): string {
  return epoch > now ? `in ${formatDuration(epoch - now)}` : `${formatDuration(now - epoch)} ago`;
}

/** Partition numbers, runs shortened: `0-3, 6`. */
export function formatPartitions(partitions: readonly number[]): string {
  const sorted = partitions.toSorted((a, b) => a - b);
  const runs: [number, number][] = [];
  for (const partition of sorted) {
    const last = runs.at(-1);
    if (last !== undefined && last[1] === partition - 1) last[1] = partition;
    else runs.push([partition, partition]);
  }
  return runs.length === 0 ? '–' : runs.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(', ');
}
