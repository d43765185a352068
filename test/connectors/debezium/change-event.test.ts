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

  it('reads records without a schema, of this one, and of a newer one that an older reader may read', () => {
    for (const schema of [{}, { __v: '1' }, { __v: '2', extra: 'more' }, { __v: '3', __least: '1' }]) {
      expect(decode({ ...record, ...schema })).toEqual(decode(record));
    }
  });

  it('refuses a newer record that an older reader would misunderstand, and says what to deploy', () => {
    for (const least of ['2', 2, 'x', null]) {
      expect(() => decode({ ...record, __v: '3', __least: least })).toThrow(BadRecord);
    }
    expect(() => decode({ ...record, __v: '3', __least: '2' })).toThrow(
      /^schema 3: .* from schema 2 on.* Deploy the version/,
    );
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
