import { gtidsOf } from '../../../../connectors/mysql/pair/gtids';
import type { MasterState } from '../../../../connectors/mysql/pair/master';
import { chooseActive } from '../../../../connectors/mysql/pair/pair';

function state(name: string, term: [number: number, holder: string] | null, databases: string[] = []): MasterState {
  const [number = 0, holder = ''] = term ?? [];
  return { name, uuid: `uuid-of-${name}`, active: false, term: term === null ? null : { number, holder }, databases };
}

describe('the active one of two masters', () => {
  it.each([
    ['the first, when both are new', null, null, 'a'],
    ['the one that has been used, when the other is new', null, [1, 'uuid-of-b'], 'b'],
    ['the holder of the term that both know', [4, 'uuid-of-b'], [4, 'uuid-of-b'], 'b'],
    ['the one that took over without the other knowing', [1, 'uuid-of-a'], [2, 'uuid-of-b'], 'b'],
    ['the one that knows the latest term, when its holder’s data is gone', null, [1, 'uuid-of-gone'], 'b'],
  ] as const)('is %s', (_why, a, b, expected) => {
    const states = [state('a', a as [number, string] | null), state('b', b as [number, string] | null)] as const;
    expect(chooseActive(states).name).toBe(expected);
    expect(chooseActive([states[1], states[0]]).name).toBe(expected === 'a' && a === null ? 'b' : expected);
  });

  it('never replaces data that does not belong to the pair', () => {
    expect(() => chooseActive([state('a', [1, 'uuid-of-a']), state('b', null, ['shop'])])).toThrow(
      /b holds databases \(shop\)/,
    );
    expect(() => chooseActive([state('a', null), state('b', null, ['shop'])])).toThrow(/Remove the data/);
    expect(chooseActive([state('a', null, ['shop']), state('b', null)]).name).toBe('a');
  });
});

test('a set of transactions is told one by one', () => {
  expect(gtidsOf('')).toEqual([]);
  expect(gtidsOf('u:1-3:7,\nv:5')).toEqual(['u:1', 'u:2', 'u:3', 'u:7', 'v:5']);
  expect(gtidsOf('u:1:tag:2-3:other:1')).toEqual(['u:1', 'u:tag:2', 'u:tag:3', 'u:other:1']);
});
