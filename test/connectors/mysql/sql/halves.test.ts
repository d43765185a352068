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

test('an outage costs a few statements, and is said; of one row alone nobody knows', async () => {
  const { tried, write } = server(() => 1290);
  expect(await writeInHalves(ids, write)).toEqual({ written: 0, refused: [], inVain: { error: answer(1290) } });
  // Nine halvings, and eight rows by themselves.
  expect(tried.length).toBe(9 + 8);
  expect(await writeInHalves([1], write)).toMatchObject({ written: 0, refused: [{ row: 1 }] });
});

test('the first of many rows that are refused hide none behind them', async () => {
  const bad = ids.slice(0, 30);
  const { written, tried, write } = server((part) => (part.some((id) => bad.includes(id)) ? 1305 : undefined));
  const { refused, ...counts } = await writeInHalves(ids, write, { random: () => 0.9 });
  expect([counts, refused.map(({ row }) => row)]).toEqual([{ written: 170 }, bad]);
  expect(written.toSorted((a, b) => a - b)).toEqual(ids.slice(30));
  expect(tried.length).toBeLessThan(2 * bad.length + 20);
});

test('nor do they where a row that was tried by itself is the only one that is not refused', async () => {
  const { written, write } = server((part) => (part.length === 1 && part[0] === 150 ? undefined : 1305));
  // Of the 199 that are left the second half comes first.
  const { refused, inVain } = await writeInHalves(ids, write, { random: () => 49.5 / 199 });
  expect([written, inVain]).toEqual([[150], undefined]);
  expect(refused.map(({ row }) => row)).toEqual(ids.filter((id) => id !== 150));
});

test('a row that is refused beside rows of which none was to be written any more is no outage', async () => {
  const { tried, write } = server((part) => (part.includes(77) ? 1305 : undefined));
  const skipped = async (part: readonly number[]) => {
    await write(part);
    return 0;
  };
  expect(await writeInHalves(ids, skipped)).toMatchObject({ written: 0, refused: [{ row: 77 }] });
  expect(tried.length).toBeLessThan(30);
});

test('where others were written just before all that are refused are named', async () => {
  const { write } = server(() => 1305);
  const { refused, inVain } = await writeInHalves(ids, write, { isProved: true });
  expect([refused.map(({ row }) => row), inVain]).toEqual([ids, undefined]);
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
