import { type MediaPlace, MediaRoom } from '../../../../connectors/channels/media/media-room';
import { ManualClock } from '../../../support/manual-clock';

const SETTINGS = { places: 16, perAccount: 4, bytes: 1_000, waitMs: 1_000 };

function roomOf(clock = new ManualClock()) {
  return { room: new MediaRoom(SETTINGS, clock), clock };
}

/** Those of so many that get a place at once; the others wait until their time is over. */
async function enter(room: MediaRoom, clock: ManualClock, account: string, messages: number): Promise<MediaPlace[]> {
  const entered = Array.from({ length: messages }, () => room.enter(account));
  await clock.advance(SETTINGS.waitMs);
  return (await Promise.all(entered)).filter((place) => place !== undefined);
}

test('An account takes no more places, and no more bytes, than are free', async () => {
  const { room, clock } = roomOf();
  const counts: number[] = [];
  for (const account of 'abcdefg') counts.push((await enter(room, clock, account, 9)).length);
  expect(counts).toEqual([4, 4, 4, 2, 1, 1, 0]);
  const other = roomOf();
  const [first] = await enter(other.room, other.clock, 'a', 1);
  const [second] = await enter(other.room, other.clock, 'b', 1);
  expect(first?.reserve(501)).toBe(true);
  expect(first?.reserve(1)).toBe(false);
  expect(second?.reserve(500)).toBe(false);
  expect(second?.reserve(499)).toBe(true);
  first?.reserve(-501);
  expect(second?.reserve(2)).toBe(true);
  second?.leave('in_time');
  expect(other.room.reserved).toBe(0);
});

test("a message that waits for its account's others gets their place", async () => {
  const { room, clock } = roomOf();
  const places = await enter(room, clock, 'a', 4);
  const waiting = room.enter('a');
  places[0]?.leave('in_time');
  expect(await waiting).toBeDefined();
});

test('Accounts whose media did not come in time share a quarter of the places', async () => {
  const { room, clock } = roomOf();
  for (const account of 'abcdef') {
    for (const place of await enter(room, clock, account, 1)) place.leave('slow');
  }
  const counts: number[] = [];
  for (const account of 'abcdef') counts.push((await enter(room, clock, account, 3)).length);
  expect(counts).toEqual([1, 1, 1, 1, 0, 0]);
  expect(await enter(room, clock, 'quick', 3)).toHaveLength(3);
});

test('an account whose media come in time again is slow no more', async () => {
  const { room, clock } = roomOf();
  const [slow] = await enter(room, clock, 'a', 1);
  slow?.leave('slow');
  const [quick] = await enter(room, clock, 'a', 1);
  quick?.leave('in_time');
  expect(await enter(room, clock, 'a', 5)).toHaveLength(4);
});

test('what fails at once does not make a slow account quick', async () => {
  const { room, clock } = roomOf();
  for (const how of ['slow', 'failed'] as const) (await enter(room, clock, 'a', 1))[0]?.leave(how);
  expect(await enter(room, clock, 'a', 5)).toHaveLength(1);
});

test('A place that becomes free goes to the waiting account that has the fewest', async () => {
  const { room, clock } = roomOf();
  const held: MediaPlace[] = [];
  for (const account of 'abcdefg') held.push(...(await enter(room, clock, account, 9)));
  expect(held).toHaveLength(16);
  const [hog, ...others] = ['a', 'victim', 'other'].map((account) => room.enter(account));
  held[0]?.leave('in_time');
  held[1]?.leave('in_time');
  // Before their time to wait is over.
  for (const place of await Promise.all(others)) expect(place).toBeDefined();
  await clock.advance(SETTINGS.waitMs);
  expect(await hog).toBeUndefined();
});

test('Videos leave half of the bytes to images', async () => {
  const { room, clock } = roomOf();
  const [film] = await enter(room, clock, 'film', 1);
  const [other] = await enter(room, clock, 'other', 1);
  const [cup] = await enter(room, clock, 'cup', 1);
  expect(film?.reserve(500, true)).toBe(true);
  expect(other?.reserve(1, true)).toBe(false);
  expect(cup?.reserve(15)).toBe(true);
  // What is given back is there for other videos, and all of it once the message is gone.
  expect(film?.reserve(-100, true)).toBe(true);
  expect(other?.reserve(101, true)).toBe(false);
  expect(other?.reserve(100, true)).toBe(true);
  film?.leave('slow');
  expect(other?.reserve(400, true)).toBe(false);
  expect(other?.reserve(300, true)).toBe(true);
  other?.leave('in_time');
  cup?.leave('in_time');
  expect(room.reserved).toBe(0);
});

test('those of one account leave as much of that half as they have, so others get theirs', async () => {
  const { room, clock } = roomOf();
  const [first, second] = await enter(room, clock, 'hog', 2);
  const [other] = await enter(room, clock, 'other', 1);
  expect(first?.reserve(200, true)).toBe(true);
  expect(second?.reserve(200, true)).toBe(false);
  expect(other?.reserve(250, true)).toBe(true);
  other?.leave('in_time');
  first?.leave('in_time');
  expect(second?.reserve(200, true)).toBe(true);
});
