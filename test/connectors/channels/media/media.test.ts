import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import type { NetworkSettings } from '../../../../connectors/channels/http/network';
import { Media, type MediaOptions } from '../../../../connectors/channels/media/media';
import { type MediaFile, partOf } from '../../../../connectors/channels/media/media-file';
import { type Clock, systemClock } from '../../../../topology/core/clock';
import type { MediaItem } from '../../../../topology/payloads/media';
import { GIF, image, MediaHost, MP4, PNG, redirect } from '../../../support/channels/media-host';
import { ManualClock, settled } from '../../../support/manual-clock';
import { until } from '../../../support/until';
import { NameServer } from '../http/name-server';

const MAX = 1_000;
const TIMEOUT = 300;

let host: MediaHost;
let closing: (() => unknown)[];
let folder: string;

beforeEach(async () => {
  [host, folder] = await Promise.all([MediaHost.start(), mkdtemp(join(tmpdir(), 'media-test-'))]);
  closing = [() => host.close(), () => rm(folder, { recursive: true })];
});
afterEach(async () => {
  for (const close of closing.toReversed()) await close();
});

function media(
  settings: Partial<NetworkSettings> = {},
  { concurrency = 8, files = true }: { concurrency?: number; files?: boolean } = {},
): Media {
  const made = new Media({
    clock: systemClock,
    network: { allowPrivateAddresses: true, ...settings },
    folder: files ? folder : undefined,
    limits: { types: ['image/png'], maxBytes: MAX },
    timeoutMs: TIMEOUT,
    concurrency,
  });
  closing.push(() => made.close());
  return made;
}

const now = () => systemClock.now();
const contents = (files: readonly MediaFile[]) => Promise.all(files.map((file) => buffer(file.read())));

function get(from: Media, items: readonly MediaItem[], account = 'shop') {
  return from.with(account, items, now, async (files) => ({
    kind: 'got' as const,
    files: files.map(({ name, type, bytes, alt }) => ({ name, type, bytes, alt })),
    contents: await contents(files),
  }));
}

const film = (bytes: number) => Buffer.concat([MP4, Buffer.alloc(bytes - MP4.length)]);
const rejected = (reason: string) => ({ kind: 'rejected', reason: expect.stringContaining(reason) });
const retry = (reason: string) => ({ kind: 'retry', reason: expect.stringContaining(reason) });

test('images come from URLs and files, in their order, each as often as it is read', async () => {
  await mkdir(join(folder, 'shop'));
  await writeFile(join(folder, 'shop/cup.png'), Buffer.concat([PNG, PNG]));
  const got = await get(media(), [{ url: host.url(), alt: 'a cup' }, { file: 'shop/cup.png' }]);
  expect(got).toEqual({
    kind: 'got',
    files: [
      { name: 'image-1.png', type: 'image/png', bytes: PNG.length, alt: 'a cup' },
      { name: 'image-2.png', type: 'image/png', bytes: 2 * PNG.length, alt: undefined },
    ],
    contents: [PNG, Buffer.concat([PNG, PNG])],
  });
  await media().with('shop', [{ url: host.url() }], now, async (files) => {
    expect(await contents(files)).toEqual([PNG]);
    expect(await contents(files)).toEqual([PNG]);
  });
});

test('Every hop of a redirect is a request of its own', async () => {
  host.on('/moved', redirect('/cup.png', 301));
  host.on('/away', redirect(host.url('/moved')));
  expect(await get(media(), [{ url: host.url('/away') }])).toMatchObject({ kind: 'got', contents: [PNG] });
  expect(host.asked).toEqual(['/away', '/moved', '/cup.png']);
  host.on('/for-ever', redirect('/for-ever'));
  expect(await get(media(), [{ url: host.url('/for-ever') }])).toEqual(rejected('sends us on more than 5 times'));
  host.on('/nowhere', redirect('http://'));
  expect(await get(media(), [{ url: host.url('/nowhere') }])).toEqual(rejected('does not say where'));
  for (const hostile of [
    'file:///etc/passwd',
    'ftp://127.0.0.1/',
    'data:image/png;base64,AAAA',
    'http://a:b@127.0.0.1/',
  ]) {
    host.on('/hostile', redirect(hostile));
    expect(await get(media(), [{ url: host.url('/hostile') }])).toEqual(rejected('no plain http or https URL'));
  }
});

test('no hop leads to a private address, in whatever form', async () => {
  const names = await NameServer.start();
  closing.push(() => names.close());
  const inner = await MediaHost.start();
  closing.push(() => inner.close());
  const settings = { allowPrivateAddresses: false, allowNetworks: ['127.0.0.1'], resolver: names.address };
  const own = host.url('/out');
  for (const hostile of [
    'http://127.0.0.2/',
    'http://2130706434/',
    'http://0x7f.0.0.2/',
    'http://0177.0.0.2/',
    'http://[::1]/',
    'http://[::ffff:127.0.0.2]/',
    'http://169.254.169.254/latest/meta-data',
    'http://10.0.0.1/',
    'http://0.0.0.0/',
    'http://[fd00::1]/',
    'http://100.64.0.1/',
  ]) {
    host.on('/out', redirect(hostile));
    expect(await get(media(settings), [{ url: own }])).toEqual(rejected('private address'));
    expect(await get(media(settings), [{ url: hostile }])).toEqual(rejected('private address'));
  }
  names.names.set('inner.test', ['127.0.0.3']);
  const inside = `http://inner.test:${inner.port}/cup.png`;
  host.on('/out', redirect(inside));
  for (const url of [own, inside]) {
    // It may be a mishap of the resolver.
    expect(await get(media(settings), [{ url }])).toEqual(retry('private address'));
  }
  expect(inner.asked).toEqual([]);
});

test('what its server answers decides: later, or never', async () => {
  const answers = (status: number, headers = {}) =>
    host.on('/it', (response) => response.writeHead(status, headers).end());
  const url = host.url('/it?token=secret');
  host.on('/it?token=secret', (response) => response.writeHead(404).end());
  const gone = await get(media(), [{ url }]);
  expect(gone).toEqual(rejected(`${host.url('/it')} could not be fetched: its server answered HTTP 404`));
  expect(JSON.stringify(gone)).not.toContain('secret');
  for (const status of [400, 401, 403, 410, 204, 206]) {
    answers(status);
    expect(await get(media(), [{ url: host.url('/it') }])).toEqual(rejected(`HTTP ${status}`));
  }
  for (const status of [500, 503, 429, 408]) {
    answers(status, { 'retry-after': '7' });
    expect(await get(media(), [{ url: host.url('/it') }])).toEqual({ ...retry(`HTTP ${status}`), afterMs: 7_000 });
  }
  expect(await get(media(), [{ url: 'http://127.0.0.1:1/cup.png' }])).toEqual(retry('ECONNREFUSED'));
  host.on('/cut', (response) => {
    response.writeHead(200, { 'content-length': '500', 'content-type': 'image/png' });
    response.write(PNG);
    response.socket?.end();
  });
  expect(await get(media(), [{ url: host.url('/cut') }])).toMatchObject({ kind: 'retry' });
});

test('a media host that cannot be reached says nothing about the provider', async () => {
  expect(await get(media(), [{ url: 'http://127.0.0.1:1/cup.png' }])).not.toHaveProperty('unreachable');
});

test('what it is by its beginning decides, and its server must not say otherwise', async () => {
  host.on('/a', image(PNG, 'image/png; charset=binary'));
  host.on('/b', image(PNG, 'application/octet-stream'));
  for (const path of ['/a', '/b']) expect(await get(media(), [{ url: host.url(path) }])).toMatchObject({ kind: 'got' });
  host.on('/page', image(Buffer.from('<html>'), 'image/png'));
  expect(await get(media(), [{ url: host.url('/page') }])).toEqual(rejected('no image that is known here'));
  host.on('/gif', image(GIF, 'image/gif'));
  expect(await get(media(), [{ url: host.url('/gif') }])).toEqual(
    rejected('it is image/gif, and the provider takes image/png'),
  );
  host.on('/said', image(PNG, 'text/html'));
  expect(await get(media(), [{ url: host.url('/said') }])).toEqual(rejected('its server says text/html'));
  host.on('/empty', image(Buffer.alloc(0), 'image/png'));
  expect(await get(media(), [{ url: host.url('/empty') }])).toEqual(rejected('no image'));
});

test('No more is read than the provider takes, and nothing is decompressed', async () => {
  host.on('/said', image(Buffer.concat([PNG, Buffer.alloc(MAX)]), 'image/png'));
  expect(await get(media(), [{ url: host.url('/said') }])).toEqual(rejected(`larger than the ${MAX} bytes`));
  let isCut = false;
  host.on('/endless', (response) => {
    response.writeHead(200, { 'content-type': 'image/png' }).write(PNG);
    const more = () => response.write(Buffer.alloc(500), () => setImmediate(more));
    response.on('close', () => {
      isCut = true;
    });
    more();
  });
  expect(await get(media(), [{ url: host.url('/endless') }])).toEqual(rejected(`larger than the ${MAX} bytes`));
  await until('the connection is cut', () => isCut);
  host.on('/bomb', image(gzipSync(PNG), 'image/png', { 'content-encoding': 'gzip' }));
  expect(await get(media(), [{ url: host.url('/bomb') }])).toEqual(rejected('compressed (gzip)'));
});

describe('videos', () => {
  const limits = { types: ['image/png'], maxBytes: MAX, video: { types: ['video/mp4'], maxBytes: 10 * MAX } } as const;

  function taking(more: Partial<MediaOptions> = {}): Media {
    const network = { allowPrivateAddresses: true };
    const made = new Media({
      clock: systemClock,
      network,
      folder,
      limits,
      timeoutMs: TIMEOUT,
      concurrency: 8,
      ...more,
    });
    closing.push(() => made.close());
    return made;
  }

  test('a video is one by its beginning, and has limits of its own', async () => {
    host.on('/film.png', image(film(5 * MAX), 'video/mp4'));
    expect(await get(taking(), [{ url: host.url('/film.png') }])).toMatchObject({
      files: [{ name: 'video-1.mp4', type: 'video/mp4', bytes: 5 * MAX }],
      contents: [film(5 * MAX)],
    });
    host.on('/film.png', image(film(10 * MAX + 1), 'video/mp4'));
    expect(await get(taking(), [{ url: host.url('/film.png') }])).toEqual(
      rejected(`larger than the ${10 * MAX} bytes`),
    );
    // What a video may have, an image may not.
    for (const headers of [{}, { 'content-length': String(PNG.length + MAX) }]) {
      host.on('/cup.png', image(Buffer.concat([PNG, Buffer.alloc(MAX)]), 'image/png', headers));
      expect(await get(taking(), [{ url: host.url() }])).toEqual(rejected(`larger than the ${MAX} bytes`));
    }
    const mov = { ...limits, video: { types: ['video/quicktime'], maxBytes: MAX } } as const;
    expect(await get(taking({ limits: mov }), [{ url: host.url('/film.png') }])).toEqual(
      rejected('it is video/mp4, and the provider takes image/png, video/quicktime'),
    );
  });

  test('pictures in the format of videos are none', async () => {
    host.on('/photo', image(Buffer.concat([Buffer.from([0, 0, 0, 24]), Buffer.from('ftypheic'), PNG]), 'image/heic'));
    expect(await get(taking(), [{ url: host.url('/photo') }])).toEqual(
      rejected('no image or video that is known here'),
    );
  });

  test('files of every type are taken where all are, as large as images may be, whatever their server says', async () => {
    const all = { ...limits, others: true } as const;
    const pdf = Buffer.from('%PDF-1.7, and no more of it');
    const short = Buffer.from('a;b');
    await writeFile(join(folder, 'a.pdf'), pdf);
    host.on('/a.csv', image(short, 'text/csv; charset=utf-8'));
    const both = [{ file: 'a.pdf' }, { url: host.url('/a.csv') }];
    expect(await get(taking({ limits: all }), both)).toMatchObject({
      files: [
        { name: 'file-1.pdf', type: 'application/pdf' },
        { name: 'file-2.bin', type: 'application/octet-stream' },
      ],
      contents: [pdf, short],
    });
    expect(await get(taking(), [{ file: 'a.pdf' }])).toEqual(rejected('it is application/pdf, and the provider takes'));
    host.on('/a.csv', image(Buffer.alloc(MAX + 1), 'text/csv'));
    for (const item of [{ url: host.url('/a.csv') }, { file: 'large' }]) {
      await writeFile(join(folder, 'large'), Buffer.alloc(MAX + 1));
      expect(await get(taking({ limits: all }), [item])).toEqual(rejected(`larger than the ${MAX} bytes`));
    }
    // What says that it is an image has to be one.
    host.on('/a.png', image(PNG, 'text/html'));
    expect(await get(taking({ limits: all }), [{ url: host.url('/a.png') }])).toEqual(rejected('its server says'));
  });

  test('a video stands alone, unless the provider shows it beside others', async () => {
    await writeFile(join(folder, 'film.mp4'), MP4);
    const both = [{ url: host.url() }, { file: 'film.mp4' }];
    expect(await get(taking(), both)).toEqual(rejected('a video alone'));
    const besides = { ...limits, video: { ...limits.video, isBesides: true } } as const;
    expect(await get(taking({ limits: besides }), both)).toMatchObject({ contents: [PNG, MP4] });
  });

  test('a video may take longer, by the time of its bytes, and an image may not', async () => {
    let atMs = 0;
    const ends: number[] = [];
    const clock: Clock = {
      ...systemClock,
      monotonic: () => atMs,
      after: (ms, run) => {
        ends.push(atMs + ms);
        return systemClock.after(60_000, run);
      },
    };
    const length = { 'content-length': String(5 * MAX) };
    host.on('/film', image(film(5 * MAX), 'video/mp4', length));
    await get(taking({ clock }), [{ url: host.url('/film') }]);
    expect(ends.filter((ms) => ms !== 30_000).slice(-2)).toEqual([3 * TIMEOUT, 3 * TIMEOUT + (5 * MAX) / 128]);
    atMs = 1_000;
    await get(taking({ clock }), [{ url: host.url() }]);
    expect(ends.at(-1)).toBe(atMs + 3 * TIMEOUT);
  });

  test('several videos may not take longer together than the longest may', async () => {
    const ends: number[] = [];
    const clock: Clock = {
      ...systemClock,
      monotonic: () => 0,
      after: (ms, run) => {
        ends.push(ms);
        return systemClock.after(60_000, run);
      },
    };
    const large = { ...limits, video: { ...limits.video, maxBytes: 100 * 1024 ** 2, isBesides: true } } as const;
    // Its server does not say how long it is, so all that may come is allowed for.
    host.on('/film', (response) => {
      response.writeHead(200, { 'content-type': 'video/mp4' }).write(MP4);
      response.end();
    });
    const films = Array.from({ length: 10 }, () => ({ url: host.url('/film') }));
    expect(await get(taking({ clock, limits: large }), films)).toMatchObject({ kind: 'got' });
    expect(Math.max(...ends.filter((ms) => ms !== 60_000))).toBe(3 * TIMEOUT + 900_000);
  });

  test("videos of others leave room for one's image", async () => {
    const half = 512 * 1024 ** 2;
    const large = { ...limits, video: { ...limits.video, maxBytes: half } } as const;
    const from = taking({ limits: large, concurrency: 64 });
    host.on('/film', (response) => {
      response.writeHead(200, { 'content-type': 'video/mp4', 'content-length': String(half) }).write(MP4);
    });
    const slow: ReturnType<typeof get>[] = [];
    const sent = (account: string) => {
      slow.push(get(from, [{ url: host.url('/film') }], account));
      return until('it is asked', () => host.asked.length === slow.length);
    };
    await sent('one');
    // A second one of an account has no room, and one of another has.
    await sent('one');
    expect(await slow[1]).toMatchObject({ kind: 'postponed' });
    await sent('two');
    await sent('three');
    expect(await slow[3]).toMatchObject({ kind: 'postponed' });
    expect(await get(from, [{ url: host.url() }], 'cup')).toMatchObject({ kind: 'got' });
    await from.close();
    await Promise.all(slow);
  });

  test('a video that comes too slowly is given up and leaves its room, and its account is slow; one that is fast enough is not', async () => {
    const clock = new ManualClock();
    const after = clock.after.bind(clock);
    let looks = 0;
    clock.after = (ms, run) => {
      if (ms === 30_000) looks++;
      return after(ms, run);
    };
    const size = 40 * 1024 ** 2;
    const from = taking({ clock, limits: { ...limits, video: { ...limits.video, maxBytes: size } } });
    const drips = new Map<string, ServerResponse>();
    for (const path of ['/drips', '/flows'])
      host.on(path, (response) => {
        response.writeHead(200, { 'content-type': 'video/mp4', 'content-length': String(size) }).write(film(1_000));
        drips.set(path, response);
      });
    const [dripping, flowing] = ['/drips', '/flows'].map((path) => get(from, [{ url: host.url(path) }], path));
    await until('both are judged', () => looks === 2);
    for (let n = 0; n < 2; n++) {
      // Half of what it takes; and more than it takes, because some of it stays on the way.
      drips.get('/drips')?.write(Buffer.alloc(960_000));
      drips.get('/flows')?.write(Buffer.alloc(12_000_000));
      await until('it has come', () => (drips.get('/flows')?.writableLength ?? 1) === 0);
      await settled();
      await clock.advance(30_000);
    }
    expect(await dripping).toEqual(retry('did not come in time'));
    const gate = new AbortController();
    const isOpen = once(gate.signal, 'abort');
    const [first, second] = [1, 2].map(() => from.with('/drips', [], now, () => isOpen));
    await clock.advance(1_001);
    gate.abort();
    expect([await first, await second]).toEqual([expect.any(Array), expect.objectContaining({ kind: 'postponed' })]);
    await from.close();
    expect(await flowing).toBe('not_started');
  });

  test('a part of a file is read from where it begins', async () => {
    host.on('/film', image(Buffer.concat([MP4, Buffer.from('0123456789')]), 'video/mp4'));
    await taking().with('shop', [{ url: host.url('/film') }], now, async ([file]) => {
      expect(await contents([partOf(file as MediaFile, MP4.length + 2, 3)])).toEqual([Buffer.from('234')]);
      const last = partOf(file as MediaFile, MP4.length + 8, 5);
      expect([last.bytes, await contents([last])]).toEqual([2, [Buffer.from('89')]]);
    });
  });
});

const namesOfCopies = () => readdirSync(tmpdir()).filter((name) => name.startsWith('downspout-media-'));

test('A file is never held whole in memory, and its copy on disk has no name', async () => {
  // A process that was killed while it made one has left its name.
  const left = namesOfCopies();
  await media().with('shop', [{ url: host.url() }], now, async (files) => {
    expect(namesOfCopies().filter((name) => !left.includes(name))).toEqual([]);
    const { value } = await (files[0] as MediaFile).read().next();
    expect(value).toEqual(PNG);
  });
});

test("Slow media hosts of one account delay nobody else's messages", async () => {
  host.on('/hangs', () => undefined);
  const from = media({}, { concurrency: 16 });
  const hanging = Array.from({ length: 20 }, () => get(from, [{ url: host.url('/hangs') }], 'hangs'));
  await until('they hang', () => host.asked.length > 0);
  expect(await get(from, [{ url: host.url() }])).toMatchObject({ kind: 'got' });
  expect(host.asked.filter((path) => path === '/hangs').length).toBeLessThan(4);
  const ended = await Promise.all(hanging);
  expect(new Set(ended.map((one) => (one === 'not_started' ? one : one.kind)))).toEqual(
    new Set(['retry', 'postponed']),
  );
  expect(ended).toContainEqual(retry('did not come in time'));
}, 20_000);

test('files are named below the folder of the setting only', async () => {
  const file = 'cup.png';
  expect(await get(media({}, { files: false }), [{ file }])).toEqual(rejected('set MEDIA_FOLDER'));
  expect(await get(media(), [{ file }])).toEqual(rejected('not below the MEDIA_FOLDER'));
  const outside = await mkdtemp(join(tmpdir(), 'media-outside-'));
  closing.push(() => rm(outside, { recursive: true }));
  await writeFile(join(outside, 'cup.png'), PNG);
  await symlink(join(outside, 'cup.png'), join(folder, 'link.png'));
  await symlink(outside, join(folder, 'link'));
  await mkdir(join(folder, 'a-folder'));
  execFileSync('mkfifo', [join(folder, 'pipe.png')]);
  for (const hostile of [
    'link.png',
    'link/cup.png',
    '../cup.png',
    'a-folder',
    'pipe.png',
    'cup.png/more',
    'x'.repeat(300),
  ]) {
    expect(await get(media(), [{ file: hostile }])).toEqual(rejected('not below the MEDIA_FOLDER'));
  }
  await symlink('below.png', join(folder, 'inner.png'));
  await writeFile(join(folder, 'below.png'), PNG);
  expect(await get(media(), [{ file: 'inner.png' }])).toMatchObject({ kind: 'got' });
  await writeFile(join(folder, 'large.png'), Buffer.concat([PNG, Buffer.alloc(MAX)]));
  expect(await get(media(), [{ file: 'large.png' }])).toEqual(rejected(`larger than the ${MAX} bytes`));
  await writeFile(join(folder, 'text.png'), 'no image');
  expect(await get(media(), [{ file: 'text.png' }])).toEqual(rejected('no image that is known here'));
});

test('nothing is sent, and no connection stays, once it is closed', async () => {
  host.on('/hangs', () => undefined);
  const from = media();
  const hanging = get(from, [{ url: host.url('/hangs') }]);
  await until('it hangs', () => host.asked.length > 0);
  await from.close();
  expect(await hanging).toBe('not_started');
  expect(await get(from, [{ url: host.url() }])).toBe('not_started');
  await until('its connection is closed', async () => (await host.connections()) === 0);
});
