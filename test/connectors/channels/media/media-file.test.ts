import { writeAll } from '../../../../connectors/channels/media/media-file';

test('all of a chunk is written, or the disk is full', async () => {
  const written: number[][] = [];
  let free = 7;
  const handle = {
    write: async (_chunk: Buffer, from: number, bytes: number, at: number) => {
      const bytesWritten = Math.min(bytes, free, 4);
      free -= bytesWritten;
      written.push([from, bytesWritten, at]);
      return { bytesWritten };
    },
  };
  await writeAll(handle as never, Buffer.alloc(6), 100);
  expect(written).toEqual([
    [0, 4, 100],
    [4, 2, 104],
  ]);
  await expect(writeAll(handle as never, Buffer.alloc(6), 106)).rejects.toThrow('takes no more');
});
