import { AddressPolicy, type AddressRules, isPublic } from '../../../../connectors/channels/http/address-policy';
import { UserError } from '../../../../topology/core/errors';

test.each(['8.8.8.8', '2606:4700::1111', '::ffff:8.8.8.8', '2a00:1450::1'])('%s is public', (address) => {
  expect(isPublic(address)).toBe(true);
});

function allows(rules: Partial<AddressRules>, address: string): boolean {
  return new AddressPolicy({ allowPrivateAddresses: false, ...rules }).allows(address);
}

/** Addresses of IPv6 that carry one of IPv4, which is given in both notations. */
const carriers = (four: string, six: string) => [
  `64:ff9b::${four}`,
  `64:ff9b:1::${four}`,
  `::ffff:0:${four}`,
  `::${six}`,
  `2002:${six}::1`,
];

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

  test('may write networks and addresses of IPv4 as IPv6 has them', () => {
    const denyNetworks = ['::ffff:8.8.8.0/120', '::ffff:9.9.9.9', '::ffff:a01:0/112'];
    for (const address of ['8.8.8.8', '::ffff:8.8.8.8', '9.9.9.9', '10.1.2.3']) {
      expect(allows({ allowPrivateAddresses: true, denyNetworks }, address)).toBe(false);
    }
    for (const address of ['8.8.9.8', '9.9.9.8', '10.2.0.1']) {
      expect(allows({ allowPrivateAddresses: true, denyNetworks }, address)).toBe(true);
    }
    expect(allows({ allowNetworks: ['::ffff:10.1.0.0/112'] }, '10.1.2.3')).toBe(true);
    expect(allows({ denyNetworks: ['::ffff:0:0/96'] }, '8.8.8.8')).toBe(false);
  });

  test('An address that carries another one is judged by both', () => {
    const gateways = ['64:ff9b::/96', '64:ff9b:1::/48', '::ffff:0:0:0/96', '::/96', '2002::/16', '2001::/32'];
    for (const address of carriers('8.8.8.8', '808:808')) {
      expect(allows({}, address)).toBe(false);
      expect(allows({ allowNetworks: gateways }, address)).toBe(true);
    }
    const inner = [...carriers('169.254.169.254', 'a9fe:a9fe'), '2001:0:808:808::5601:5601'];
    for (const address of inner) {
      expect(allows({ allowNetworks: gateways }, address)).toBe(false);
      expect(allows({ allowNetworks: [...gateways, '169.254.0.0/16'] }, address)).toBe(true);
      expect(allows({ allowPrivateAddresses: true, denyNetworks: ['10.0.0.0/8'] }, address)).toBe(true);
      expect(allows({ allowPrivateAddresses: true, denyNetworks: ['169.254.169.254'] }, address)).toBe(false);
    }
    expect(allows({ allowNetworks: ['::1'] }, '::1')).toBe(true);
  });

  test.each(['10.0.0.0/33', 'example.com', '', '10.0.0', 'fd00::/129', '::ffff:0:0/95'])(
    'is told that %p is no network',
    (network) => {
      expect(() => allows({ allowNetworks: ['10.0.0.0/8', network] }, '::1')).toThrow(UserError);
      expect(() => allows({ allowNetworks: [network] }, '::1')).toThrow('WEBHOOK_ALLOW_NETWORKS: expected networks');
      expect(() => allows({ denyNetworks: [network] }, '::1')).toThrow(JSON.stringify(network));
    },
  );
});
