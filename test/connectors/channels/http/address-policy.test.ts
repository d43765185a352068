import { AddressPolicy, type AddressRules, isPublic } from '../../../../connectors/channels/http/address-policy';
import { UserError } from '../../../../topology/core/errors';

test.each(['8.8.8.8', '2606:4700::1111', '::ffff:8.8.8.8', '2a00:1450::1'])('%s is public', (address) => {
  expect(isPublic(address)).toBe(true);
});

test.each([
  '198.18.0.1',
  '224.0.0.1',
  '240.0.0.1',
  '2002:7f00:1::',
  '2001:db8::1',
  'fec0::1',
  // Azure's host, which every virtual machine there can reach.
  '168.63.129.16',
  '::ffff:168.63.129.16',
  // Outside 2000::/3, where nothing is given out.
  '4000::1',
  'a000::1',
  '1::1',
  '::7f00:1',
])('%s is not public', (address) => {
  expect(isPublic(address)).toBe(false);
});

function allows(rules: Partial<AddressRules>, address: string): boolean {
  return new AddressPolicy({ allowPrivateAddresses: false, ...rules }).allows(address);
}

describe('an operator', () => {
  test('may allow private networks and addresses, and nothing beside them', () => {
    const rules = { allowNetworks: ['10.1.0.0/16', 'fd00:1::/32', '192.168.7.9'] };
    for (const address of ['10.1.2.3', '::ffff:10.1.2.3', 'fd00:1::5', '192.168.7.9', '8.8.8.8']) {
      expect(allows(rules, address)).toBe(true);
    }
    for (const address of ['10.2.0.1', 'fd00:2::5', '192.168.7.10', '127.0.0.1'])
      expect(allows(rules, address)).toBe(false);
  });

  test('may deny networks, whatever else is allowed', () => {
    const denyNetworks = ['203.0.114.0/24', '10.1.0.0/16', '2606:4700::/32'];
    const everything = { allowPrivateAddresses: true, allowNetworks: ['10.1.0.0/16'], denyNetworks };
    for (const address of ['203.0.114.9', '10.1.2.3', '::ffff:10.1.2.3', '2606:4700::1111']) {
      expect(allows({ denyNetworks }, address)).toBe(false);
      expect(allows(everything, address)).toBe(false);
    }
    expect(allows(everything, '127.0.0.1')).toBe(true);
    expect(allows({ denyNetworks }, '8.8.8.8')).toBe(true);
  });

  test.each(['10.0.0.0/33', 'example.com', '', '10.0.0', 'fd00::/129'])('is told that %p is no network', (network) => {
    expect(() => allows({ allowNetworks: ['10.0.0.0/8', network] }, '::1')).toThrow(UserError);
    expect(() => allows({ allowNetworks: [network] }, '::1')).toThrow('WEBHOOK_ALLOW_NETWORKS: expected networks');
    expect(() => allows({ denyNetworks: [network] }, '::1')).toThrow(JSON.stringify(network));
  });
});
