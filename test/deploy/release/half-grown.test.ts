import { sayingHalfGrown } from '../../../deploy/release/half-grown';
import { Unavailable, UserError } from '../../../topology/core/errors';

const growth = { stream: 'schedule-changes', from: 4, to: 6 };

test.each([
  ['refuses', new UserError('Connect refuses the connector'), UserError],
  ['does not answer', new Unavailable('Connect does not answer'), Unavailable],
])(
  'where Connect %s after partitions of the changes were added, it is said what is half done',
  async (_, error, kind) => {
    const thrown = await sayingHalfGrown(growth, () => Promise.reject(error)).catch((reason: unknown) => reason);
    expect(thrown).toBeInstanceOf(kind);
    expect((thrown as Error).message).toMatch(
      /^Connect [^]*\nschedule-changes has 6 partitions now, and CDC may write to 4 of them only until `downspout deploy`/,
    );
  },
);

test('and a command that is to end says what it says anyway', async () => {
  const ended = new Error('interrupted');
  await expect(sayingHalfGrown(growth, () => Promise.reject(ended))).rejects.toBe(ended);
});
