import { Frontier } from '../../../spouts/memory/frontier';
import { beginning } from '../../../spouts/memory/position';

const at = (wakeAt: number, id = 1) => ({ wakeAt, id });
const from = (wakeAt: number, id: number) => ({ shard: 1, afterWake: wakeAt, afterId: id });

describe('Frontier', () => {
  test('covers what was read, and what lies before the target of a read', () => {
    const frontier = new Frontier();
    expect(frontier.covers(1, at(0))).toBe(false);
    frontier.own(1);
    expect(frontier.covers(1, at(0))).toBe(false);
    frontier.move(100);
    expect(frontier.covers(1, at(99))).toBe(true);
    expect(frontier.covers(1, at(100))).toBe(false);
    expect(frontier.covers(2, at(99))).toBe(false);
    frontier.advance(from(beginning.wakeAt, beginning.id), at(50, 7));
    frontier.stop();
    expect([frontier.covers(1, at(50, 7)), frontier.covers(1, at(50, 8)), frontier.covers(1, at(49, 9))]).toEqual([
      true,
      false,
      true,
    ]);
    expect(frontier.behind(100)).toEqual([from(50, 7)]);
    expect(frontier.behind(50)).toEqual([]);
  });

  test('a read that was stopped, overtaken or lost does not advance it', () => {
    const frontier = new Frontier();
    frontier.own(1);
    const start = from(beginning.wakeAt, beginning.id);
    frontier.advance(start, at(50));
    expect(frontier.at(1)).toEqual(beginning);
    frontier.move(100);
    frontier.advance(start, at(50));
    frontier.retreat(1, at(20, 3));
    frontier.advance(from(50, 1), at(90));
    expect(frontier.at(1)).toEqual(at(20, 2));
    const life = frontier.life(1);
    frontier.disown(1);
    frontier.own(1);
    expect(frontier.at(1)).toEqual(beginning);
    expect(frontier.life(1)).not.toBe(life);
  });
});
