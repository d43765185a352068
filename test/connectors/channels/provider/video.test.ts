import type { MediaFile } from '../../../../connectors/channels/media/media-file';
import { readyVideo, VideoKeeping, type VideoState } from '../../../../connectors/channels/provider/video';
import { MP4 } from '../../../support/channels/media-host';
import { MemoryKeeping } from '../../../support/channels/memory-keeping';

const file: MediaFile = {
  name: 'video-1.mp4',
  type: 'video/mp4',
  bytes: MP4.length,
  alt: undefined,
  read: async function* read() {
    yield MP4;
  },
};
const inWork = (askAfterMs?: number): VideoState => ({
  kind: 'in_work',
  status: 206,
  ...(askAfterMs === undefined ? {} : { askAfterMs }),
});

/** One attempt at a provider that says these of its video, one after the other, the first one at the end of the upload. */
async function attempt(kept: MemoryKeeping, states: VideoState[], timeoutMs = 10_000) {
  const waited: number[] = [];
  let uploads = 0;
  const next = () => states.shift() ?? 'ready';
  const ended = await readyVideo(
    {
      upload: async () => {
        uploads++;
        return { ids: { video: 'id-1' }, state: next() };
      },
      stateOf: async () => next(),
    },
    {
      files: [file],
      video: await VideoKeeping.of(kept, 'the shop'),
      wait: async (ms) => {
        waited.push(ms);
      },
      timeoutMs,
      now: () => 0,
      inDoubt: false,
    },
  );
  return { ended, waited, uploads };
}

test('a video is waited for ever longer, and no longer than a request may take', async () => {
  const kept = new MemoryKeeping();
  const { ended, waited } = await attempt(
    kept,
    Array.from({ length: 99 }, () => inWork()),
  );
  expect(waited).toEqual([500, 1_000, 2_000, 4_000]);
  expect(ended).toMatchObject({ kind: 'retry', status: 206, afterMs: 15_000 });
  const patient = await attempt(
    kept,
    Array.from({ length: 99 }, () => inWork()),
    3_600_000,
  );
  // No attempt is longer than all questions that are planned.
  expect(patient.waited).toHaveLength(8);
  expect(patient.ended).toMatchObject({ kind: 'retry', afterMs: 15_000 });
});

test('a provider is asked again when it wants to be', async () => {
  const kept = new MemoryKeeping();
  expect(await attempt(kept, [inWork(3_000), 'ready'])).toEqual({ ended: { id: 'id-1' }, waited: [3_000], uploads: 1 });
  const later = await attempt(new MemoryKeeping(), [inWork(60_000)]);
  expect(later).toMatchObject({ ended: { kind: 'retry', afterMs: 60_000 }, waited: [] });
});

test('What was uploaded whole is not uploaded again', async () => {
  const kept = new MemoryKeeping();
  expect(await attempt(kept, [inWork(60_000)])).toMatchObject({ uploads: 1 });
  expect(kept.ids).toMatchObject({ video: 'id-1' });
  expect(await attempt(kept, ['ready'])).toEqual({ ended: { id: 'id-1' }, waited: [], uploads: 0 });
});

test('whose a video is stands in the table only as a hash', async () => {
  const kept = new MemoryKeeping();
  await attempt(kept, ['ready']);
  expect(JSON.stringify(kept.ids)).not.toContain('shop');
  expect((await VideoKeeping.of(kept, 'the shop')).id).toBe('id-1');
  expect((await VideoKeeping.of(kept, 'another')).id).toBeUndefined();
});
