import { assignSticky } from '../../../connectors/kafka/sticky-assigner';

const member = (id: string, partitions: readonly number[] = [], since = 0) => ({ id, owned: { partitions, since } });
const range = (length: number) => Array.from({ length }, (_, partition) => partition);

function shares(members: readonly ReturnType<typeof member>[], partitions: number): Record<string, number[]> {
  return Object.fromEntries(assignSticky(members, range(partitions)));
}

describe('the sticky assignment', () => {
  it('spreads evenly what nobody owns', () => {
    expect(shares([member('b'), member('a')], 5)).toEqual({ a: [0, 1, 2], b: [3, 4] });
  });

  it('moves no more than a new member needs', () => {
    expect(shares([member('a', [0, 1, 2, 3]), member('b', [4, 5, 6, 7]), member('c')], 8)).toEqual({
      a: [0, 1, 2],
      b: [4, 5, 6],
      c: [3, 7],
    });
  });

  it('lets everybody keep what is theirs when a member leaves', () => {
    expect(shares([member('a', [0, 5]), member('c', [2, 6])], 7)).toEqual({ a: [0, 1, 3, 5], c: [2, 4, 6] });
  });

  it('believes the later of two that claim a partition', () => {
    expect(shares([member('zombie', [0, 1, 2, 3], 1), member('a', [2, 3], 2)], 4)).toEqual({
      zombie: [0, 1],
      a: [2, 3],
    });
  });

  it('gives nothing to those for whom nothing is left, and forgets partitions that are not there', () => {
    expect(shares([member('a', [0, 9]), member('b'), member('c')], 2)).toEqual({ a: [0], b: [1], c: [] });
  });

  it('is complete and even, whatever the members claim', () => {
    let seed = 1;
    const random = (below: number) => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed % below;
    };
    for (let round = 0; round < 500; round++) {
      const partitions = random(20);
      const members = range(1 + random(6)).map((id) =>
        member(
          `m${id}`,
          range(partitions + 3).filter(() => random(3) === 0),
          random(5),
        ),
      );
      const all = [...assignSticky(members, range(partitions)).values()];
      expect(all.flat().toSorted((a, b) => a - b)).toEqual(range(partitions));
      const sizes = all.map(({ length }) => length);
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    }
  });
});
