import { buffer } from 'node:stream/consumers';
import type { MediaFile } from '../../../../connectors/channels/media/media-file';
import { multipart } from '../../../../connectors/channels/provider/multipart';
import { partsOf } from '../../../../deploy/fakes/fake-form';
import { PNG } from '../../../support/channels/media-host';

const file: MediaFile = {
  name: 'image-1.png',
  type: 'image/png',
  bytes: 2 * PNG.length,
  alt: undefined,
  async *read() {
    yield PNG;
    yield PNG;
  },
};

test('a form has its texts and files, and is as long as it says', async () => {
  const { type, bytes, body } = multipart([
    { name: 'json', text: '{"a":"ü"}', type: 'application/json' },
    { name: 'file', file },
    { name: 'empty', text: '' },
  ]);
  const sent = await buffer(body);
  expect(sent).toHaveLength(bytes);
  expect(partsOf(type, sent)).toEqual([
    { name: 'json', filename: undefined, type: 'application/json', body: Buffer.from('{"a":"ü"}') },
    { name: 'file', filename: 'image-1.png', type: 'image/png', body: Buffer.concat([PNG, PNG]) },
    { name: 'empty', filename: undefined, type: undefined, body: Buffer.alloc(0) },
  ]);
  expect(partsOf(type, sent.subarray(0, -3))).toBeUndefined();
});

test('a text cannot end its part: nobody can guess the boundary', async () => {
  const [one, other] = [multipart([{ name: 'a', text: 'x' }]), multipart([{ name: 'a', text: 'x' }])];
  expect(one.type).not.toBe(other.type);
  const text = '\r\n--downspout--\r\ncontent-disposition: form-data; name="b"\r\n\r\nx';
  const { type, body } = multipart([{ name: 'a', text }]);
  expect(partsOf(type, await buffer(body))).toMatchObject([{ name: 'a', body: Buffer.from(text) }]);
});
