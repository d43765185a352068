import { BenchTable } from './bench-table';
import { FullTable } from './full-table';
import { WholeStack } from './whole-stack';

export interface OpenStack {
  readonly stack: WholeStack;
  readonly table: BenchTable;
  readonly full: FullTable;
}

/** Starts a stack and opens its table, as applications see it and as a whole. @param onEnd takes what ends each */
export async function openStack(
  say: (text: string) => void,
  onEnd: (end: () => Promise<void>) => void,
): Promise<OpenStack> {
  const stack = await WholeStack.start(say, false);
  onEnd(() => stack.stop());
  const table = new BenchTable(stack.settings['DATABASE_URL'] as string);
  onEnd(() => table.close());
  const full = new FullTable(stack.settings['ADMIN_DATABASE_URL'] as string);
  onEnd(() => full.close());
  return { stack, table, full };
}
