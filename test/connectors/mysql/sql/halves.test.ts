import { writeInHalves } from '../../../../connectors/mysql/sql/halves';

const ids = Array.from({ length: 200 }, (_, index) => index + 1);
const answer = (errno: number) => Object.assign(new Error(`answer ${errno}`), { errno, sqlState: 'HY000' });

/** Writes rows but those with an errno, and what was tried. */
function server(errnoOf: (part: readonly number[]) => number | undefined) {
  const written: number[] = [];
  const tried: number[] = [];
  const write = async (part: readonly number[]) => {
    tried.push(part.length);
    const errno = errnoOf(part);
    if (errno !== undefined) throw answer(errno);
    written.push(...part);
    return part.length;
  };
  return { written, tried, write };
}

test.each([3100, 1197, 1206, 1153])(
  'what is refused for its size (%i) is halved until it passes, in its order',
  async (errno) => {
    const { written, tried, write } = server((part) => (part.length > 60 ? errno : undefined));
    expect(await writeInHalves(ids, write)).toEqual({ written: 200, refused: [] });
    expect(written).toEqual(ids);
    expect(tried).toEqual([200, 100, 50, 50, 100, 50, 50]);
  },
);

test.each([1305, 1064, 1136, 1644, 1062])(
  'a row that is refused (%i) holds no other, wherever it is',
  async (errno) => {
    for (const bad of [1, 77, 200]) {
      const { written, tried, write } = server((part) => (part.includes(bad) ? errno : undefined));
      expect(await writeInHalves(ids, write)).toMatchObject({
        written: 199,
        refused: [{ row: bad, error: { errno } }],
      });
      expect(written).toEqual(ids.filter((id) => id !== bad));
      expect(tried.length).toBeLessThan(20);
    }
  },
);

test('an outage costs a few statements, and is thrown; of one row alone nobody knows', async () => {
  const { tried, write } = server(() => 1290);
  await expect(writeInHalves(ids, write)).rejects.toMatchObject({ errno: 1290 });
  expect(tried.length).toBeLessThan(10);
  expect(await writeInHalves([1], write)).toMatchObject({ written: 0, refused: [{ row: 1 }] });
});

test('an answer about a value is about its row, also where nothing else is written', async () => {
  const { write } = server(() => 1264);
  expect(await writeInHalves([1, 2], write)).toMatchObject({ written: 0, refused: [{ row: 1 }, { row: 2 }] });
});

test.each([1205, 1213])('a lock that is waited for in vain (%i) is thrown at once', async (errno) => {
  const { tried, write } = server(() => errno);
  await expect(writeInHalves(ids, write)).rejects.toMatchObject({ errno });
  expect(tried).toEqual([200]);
});
