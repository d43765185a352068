import { FileWriter } from '../../../../connectors/channels/media/media-file';

/** A disk that has room for so many bytes, and takes so many at once. */
function disk(free: number, most: number) {
  const written: [at: number, bytes: number][] = [];
  let contents = Buffer.alloc(0);
  const write = async (chunk: Buffer, from: number, bytes: number, at: number) => {
    const bytesWritten = Math.min(bytes, free, most);
    free -= bytesWritten;
    written.push([at, bytesWritten]);
    contents = Buffer.concat([contents.subarray(0, at), chunk.subarray(from, from + bytesWritten)]);
    return { bytesWritten };
  };
  return { written, writer: new FileWriter({ write } as never), contents: () => contents };
}

test('all of a chunk is written, or the disk is full', async () => {
  const { written, writer } = disk(7, 4);
  await writer.add(Buffer.alloc(6));
  await writer.flush();
  expect(written).toEqual([
    [0, 4],
    [4, 2],
  ]);
  await writer.add(Buffer.alloc(6));
  await expect(writer.flush()).rejects.toThrow('takes no more');
});

test('chunks of one byte are written together, and large ones as they come', async () => {
  const { written, writer, contents } = disk(1e6, 1e6);
  const sent = [
    ...Array.from({ length: 70_000 }, (_, n) => Buffer.from([n])),
    Buffer.alloc(100_000, 1),
    Buffer.from('.'),
  ];
  for (const chunk of sent) await writer.add(chunk);
  await writer.flush();
  expect(written.map(([, bytes]) => bytes)).toEqual([65_536, 70_000 - 65_536, 100_000, 1]);
  expect(contents().equals(Buffer.concat(sent))).toBe(true);
});
