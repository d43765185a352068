import { seededRandom } from '../../deploy/demo/random';

/** What is to be sent. The same figures give the same rows. */
export interface Workload {
  /** Put before tags, so that runs can be told apart. */
  readonly name: string;
  readonly count: number;
  readonly accounts: number;
  /** Of the payload column, JSON and all. */
  readonly payloadBytes: number;
  /** Where it goes. */
  readonly url: string;
}

export interface BenchRow {
  /** Comes back from the receiver as `x-tag`. */
  readonly tag: string;
  readonly account: string;
  /** Epoch milliseconds. */
  readonly dueAt: number;
  readonly payload: string;
}

const SEED = 20_260_101;

/**
 * Rows `from` to `to` of a workload.
 * @param dueAt of the n-th row, epoch milliseconds
 */
export function rowsOf(work: Workload, from: number, to: number, dueAt: (n: number) => number): BenchRow[] {
  const pick = accountPicker(work.accounts);
  const rows: BenchRow[] = [];
  for (let n = from; n < to; n++) {
    const due = dueAt(n);
    const tag = `${work.name}-${n}`;
    rows.push({ tag, account: pick(n), dueAt: due, payload: payloadOf(work, tag, due) });
  }
  return rows;
}

/**
 * Accounts of uneven size: the weight of the k-th is `1 / (k + offset)`, Zipf's law with an offset (Mandelbrot) that gives
 * the biggest some 2 % of 5,000.
 */
export function accountPicker(accounts: number): (n: number) => string {
  const OFFSET = 6;
  const upTo: number[] = [];
  let total = 0;
  for (let k = 1; k <= accounts; k++) {
    total += 1 / (k + OFFSET);
    upTo.push(total);
  }
  return (n) => {
    const wanted = seededRandom(SEED + n)() * total;
    let low = 0;
    let high = accounts - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((upTo[middle] as number) < wanted) low = middle + 1;
      else high = middle;
    }
    return `account-${low + 1}`;
  };
}

function payloadOf(work: Workload, tag: string, dueAt: number): string {
  const headers = { 'x-due-at': String(dueAt), 'x-tag': tag };
  const bare = JSON.stringify({ url: work.url, headers, body: { text: '' } });
  const text = 'x'.repeat(Math.max(0, work.payloadBytes - bare.length));
  return JSON.stringify({ url: work.url, headers, body: { text } });
}
