import { changeEventCodec } from '../../../connectors/debezium/change-event';
import { BadRecord } from '../../../topology/core/errors';

const record = {
  id: 3,
  account: 'acc0',
  channel: 'webhook',
  version: 1,
  shard: 203,
  wake_at: 1795487235237,
  __deleted: 'false',
  __op: 'c',
  __source_ts_ms: 1795487235239,
};
const decode = (value: unknown) => changeEventCodec.decode(Buffer.from(JSON.stringify(value)));

describe('changeEventCodec', () => {
  it('reads what Debezium writes', () => {
    expect(decode(record)).toEqual({
      id: 3,
      shard: 203,
      account: 'acc0',
      channel: 'webhook',
      wakeAt: 1795487235237,
      version: 1,
      deleted: false,
      committedAt: 1795487235239,
    });
  });

  it('tells a cancel and a delete', () => {
    expect(decode({ ...record, wake_at: null }).wakeAt).toBeNull();
    expect(decode({ ...record, __op: 'd', __deleted: 'true' }).deleted).toBe(true);
  });

  it('reads what it writes', () => {
    const change = { ...decode(record), wakeAt: null, deleted: true };
    expect(changeEventCodec.decode(changeEventCodec.encode(change))).toEqual(change);
  });

  it.each([
    ['id', 0],
    ['id', 2 ** 53],
    ['shard', 256],
    ['account', 7],
    ['channel', null],
    ['wake_at', undefined],
    ['wake_at', '1'],
    ['version', 1.5],
    ['__deleted', true],
    ['__source_ts_ms', null],
  ])('refuses %s = %j and names the field', (field, value) => {
    expect(() => decode({ ...record, [field]: value })).toThrow(BadRecord);
    expect(() => decode({ ...record, [field]: value })).toThrow(`${field}: expected`);
  });

  it.each(['', 'garbage', 'null', '[]', '7'])('refuses %j', (text) => {
    expect(() => changeEventCodec.decode(Buffer.from(text))).toThrow(BadRecord);
  });
});
