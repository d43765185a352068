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

const pass = async () => undefined;

test.each([3100, 1197, 1206, 1153])(
  'what is refused for its size (%i) is halved until it passes, in its order',
  async (errno) => {
    const { written, tried, write } = server((part) => (part.length > 60 ? errno : undefined));
    expect(await writeInHalves(ids, write, pass)).toEqual({ written: 200, refused: [] });
    expect(written).toEqual(ids);
    expect(tried).toEqual([200, 100, 50, 50, 100, 50, 50]);
  },
);

test.each([1305, 1064, 1136, 1644, 1062])(
  '1. One row that is refused stops no other: wherever it is (%i)',
  async (errno) => {
    for (const bad of [1, 77, 200]) {
      const { written, tried, write } = server((part) => (part.includes(bad) ? errno : undefined));
      expect(await writeInHalves(ids, write, pass)).toMatchObject({
        written: 199,
        refused: [{ row: bad, error: { errno } }],
      });
      expect(written).toEqual(ids.filter((id) => id !== bad));
      expect(tried.length).toBeLessThan(20);
    }
  },
);

test.each([1305, 1142, 1264])('nor do many of them, where a single one is taken, or none: error %i', async (errno) => {
  for (const good of [1, 150, 200, 201]) {
    const { written, write } = server((part) => (part.length === 1 && part[0] === good ? undefined : errno));
    const { refused } = await writeInHalves(ids, write, pass);
    expect(written).toEqual(ids.filter((id) => id === good));
    expect(refused.map(({ row }) => row)).toEqual(ids.filter((id) => id !== good));
  }
  const { write } = server(() => errno);
  expect(await writeInHalves([1], write, pass)).toMatchObject({ written: 0, refused: [{ row: 1 }] });
});

test('nor does one beside rows of which none was to be written any more', async () => {
  const { tried, write } = server((part) => (part.includes(77) ? 1305 : undefined));
  const skipped = async (part: readonly number[]) => {
    await write(part);
    return 0;
  };
  expect(await writeInHalves(ids, skipped, pass)).toMatchObject({ written: 0, refused: [{ row: 77 }] });
  expect(tried.length).toBeLessThan(30);
});

test.each([1142, 1146, 1290])('2. What would refuse every row ends it at once: error %i', async (errno) => {
  let from = 0;
  const outage = async () => {
    if (from <= tried.length) throw answer(errno);
  };
  const { tried, write } = server(() => (from <= tried.length ? errno : undefined));
  await expect(writeInHalves(ids, write, outage)).rejects.toMatchObject({ errno });
  expect(tried).toEqual([200]);
  // One that begins later: when others were written, and while one is being looked for that is refused.
  for (from of [5, 12, 17]) {
    tried.length = 0;
    const one = server((part) => (part.includes(150) ? 1305 : undefined));
    const late = async (part: readonly number[]) => {
      await write(part);
      return one.write(part);
    };
    const twice = ids.flatMap((id) => [id, id]);
    await expect(writeInHalves(twice, late, outage)).rejects.toMatchObject({ errno });
    expect(tried.length).toBeGreaterThanOrEqual(from);
  }
});

test.each([1114, 1021, 3100])(
  'nor is space that no row finds (%i) one beside rows that need nothing',
  async (errno) => {
    const { tried, write } = server((part) => (part.some((id) => id > 100) ? errno : undefined));
    const nothing = async (part: readonly number[]) => {
      await write(part);
      return 0;
    };
    await expect(writeInHalves(ids, nothing, pass)).rejects.toMatchObject({ errno });
    expect(tried.length).toBeLessThan(30);
  },
);

test.each([1114, 1021, 3100])(
  'space that no row finds (%i) ends it too, but not if some find it between others',
  async (errno) => {
    const { tried, write } = server(() => errno);
    await expect(writeInHalves(ids, write, pass)).rejects.toMatchObject({ errno });
    expect(tried.length).toBeLessThan(30);
    await expect(writeInHalves([1], write, pass)).rejects.toMatchObject({ errno });
    const full = server((part) => (part.some((id) => id > 100) ? errno : undefined));
    await expect(writeInHalves(ids, full.write, pass)).rejects.toMatchObject({ errno });
    expect(full.written).toEqual(ids.slice(0, 100));
    const small = server((part) => (part.some((id) => id % 7 !== 0) ? errno : undefined));
    const { refused } = await writeInHalves(ids, small.write, pass);
    expect([small.written.length, refused.length]).toEqual([28, 172]);
  },
);

test.each([1205, 1213])('a lock that is waited for in vain (%i) is thrown at once', async (errno) => {
  const { tried, write } = server(() => errno);
  await expect(writeInHalves(ids, write, pass)).rejects.toMatchObject({ errno });
  expect(tried).toEqual([200]);
});
