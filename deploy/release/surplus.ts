import type { PlacementRow } from '../../connectors/mysql/operators/placements';

/** The workers that a host has beyond its equal share, those of components that it has most of first. */
export function surplus(placements: readonly PlacementRow[], supervisors: number): PlacementRow[] {
  const share = Math.ceil(placements.length / supervisors);
  const byHost = new Map<string, PlacementRow[]>();
  for (const one of placements) {
    if (one.supervisor !== null) byHost.set(one.supervisor, [...(byHost.get(one.supervisor) ?? []), one]);
  }
  return [...byHost.values()].flatMap((own) => {
    const over: PlacementRow[] = [];
    const left = [...own];
    while (left.length > share) {
      const count = (component: string) => left.filter((one) => one.component === component).length;
      const [most] = left.toSorted((a, b) => count(b.component) - count(a.component) || b.replica - a.replica);
      over.push(most as PlacementRow);
      left.splice(left.indexOf(most as PlacementRow), 1);
    }
    return over;
  });
}
