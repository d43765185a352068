import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { channelKinds } from '../../../../../connectors/channels/channel-kinds';
import { channelsByContent, checkReceiptGiven } from '../../../../../deploy/cli/verbs/messages/receipts-wanted';
import { UserError } from '../../../../../topology/core/errors';

const message = (channel: string, state: 'uncertain' | 'delivered' = 'uncertain') => ({ id: 17, channel, state });

test('a message whose post another one could count for its own is not settled without its receipt', () => {
  for (const channel of ['x', 'facebook', 'mastodon', 'linkedin', 'discord']) {
    const check = () => checkReceiptGiven([null, message('webhook'), message(channel)]);
    expect(check).toThrow(UserError);
    expect(check).toThrow(`Message 17 is of ${channel}`);
    expect(check).toThrow('give --receipt (');
  }
  checkReceiptGiven([null, message('telegram'), message('sms'), message('x', 'delivered')]);
});

test('the channels that claim posts say what the receipt of one is, and no others do', () => {
  const folder = join(__dirname, '../../../../../connectors/channels');
  const claiming = Object.keys(channelKinds).filter((name) =>
    readdirSync(join(folder, name)).some((file) =>
      readFileSync(join(folder, name, file), 'utf8').includes('claimFirst('),
    ),
  );
  expect(claiming.toSorted()).toEqual(channelsByContent.toSorted());
});
