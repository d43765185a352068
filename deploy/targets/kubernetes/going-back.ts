import { ARGS_OF_WORKER } from './names';

/** What a Deployment has run, oldest first: the last one is what it is to run now. */
export interface Revision {
  readonly number: number;
  /** Null when its workers read topology.yaml. */
  readonly release: number | null;
}

/** A line for each ReplicaSet: who owns it, which revision it is, and how its workers are started. */
const COLUMNS =
  '-o=jsonpath={range .items[*]}{.metadata.ownerReferences[0].name} ' +
  `{.metadata.annotations.deployment\\.kubernetes\\.io/revision} {.spec.template.${ARGS_OF_WORKER}}{"\\n"}{end}`;
const LINE = /^(\S+) (\d+) (\[.*)$/;

/** Reads the revisions of every Deployment, by its name. */
export async function revisionsOf(
  kubectl: (...args: readonly string[]) => Promise<string>,
  selector: string,
): Promise<ReadonlyMap<string, readonly Revision[]>> {
  const revisions = new Map<string, Revision[]>();
  for (const line of (await kubectl('get', 'replicaset', selector, COLUMNS)).split('\n')) {
    const [, name, number, args] = LINE.exec(line) ?? [];
    if (name === undefined) continue;
    const release = /--release=(\d+)/.exec(args as string)?.[1];
    const one = { number: Number(number), release: release === undefined ? null : Number(release) };
    revisions.set(name, [...(revisions.get(name) ?? []), one]);
  }
  for (const these of revisions.values()) these.sort((a, b) => a.number - b.number);
  return revisions;
}

/**
 * What takes a release back, and one before it that was interrupted. A revision of neither the live release nor topology.yaml
 * was never live: nobody goes back to it.
 * @param live the release that ran before; the same one when only settings have changed
 * @returns null when the Deployment runs neither; `delete` when nothing that may run again is known
 */
export function goBackOf(
  revisions: readonly Revision[],
  { release, live }: { readonly release: number; readonly live: number | null },
): { readonly toRevision: number } | 'delete' | null {
  const running = revisions.at(-1)?.release ?? null;
  const isBegun = running !== null && (running === release || (running < release && running > (live ?? 0)));
  if (!isBegun) return null;
  const before = revisions.slice(0, -1);
  const to =
    before.findLast((one) => live !== null && one.release === live) ?? before.findLast((one) => one.release === null);
  if (to !== undefined) return { toRevision: to.number };
  return live === release ? null : 'delete';
}
