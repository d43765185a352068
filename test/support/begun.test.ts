import { Begun } from './begun';

test('whatever was begun is ended, also when one of them cannot be, and nothing is begun any more', async () => {
  const begun = new Begun();
  const ended: string[] = [];
  const end = async (name: string) => {
    ended.push(name);
    if (name === 'stubborn') throw new Error('it hangs');
  };
  for (const name of ['stubborn', 'other']) expect(begun.begin(() => name, end)).toBe(name);
  await expect(begun.endAll()).rejects.toThrow('it hangs');
  expect(ended).toEqual(['stubborn', 'other']);
  const late = jest.fn();
  expect(() => begun.begin(late, end)).toThrow('nothing is begun any more');
  expect(late).not.toHaveBeenCalled();
});
