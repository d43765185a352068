import { NameFailed, NameUnknown, ResolverSilent } from '../../../../connectors/channels/http/name-resolver';
import { unreachable } from '../../../../connectors/channels/http/unreachable';

const failed = (code: string) => Object.assign(new Error(`connect ${code}`), { code });
const of = (error: unknown) => unreachable(error, 'https://partner.test');

test.each(['ENETUNREACH', 'ENETDOWN', 'EADDRNOTAVAIL', 'EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EACCES', 'EPERM'])(
  '%s is about this machine: the message is postponed, and it is no attempt',
  (code) => {
    expect(of(failed(code))).toEqual({ kind: 'postponed', reason: `https://partner.test: connect ${code}` });
  },
);

test.each(['ECONNREFUSED', 'ECONNRESET', 'EHOSTUNREACH', 'ETIMEDOUT', 'UND_ERR_CONNECT_TIMEOUT'])(
  '%s is about the host: the attempt counts',
  (code) => {
    expect(of(failed(code))).toEqual({
      kind: 'retry',
      reason: `https://partner.test: connect ${code}`,
      unreachable: true,
    });
  },
);

test('a name is of the host: one that does not exist, and one that the resolver cannot tell though it tells of others', () => {
  for (const error of [new NameUnknown('no'), new NameFailed('no')]) {
    expect(of(error)).toEqual({ kind: 'retry', reason: 'https://partner.test: no', unreachable: true });
  }
  expect(of(new ResolverSilent('no'))).toEqual({ kind: 'postponed', reason: 'https://partner.test: no' });
});

test('of several addresses, it is our own network when every one says so', () => {
  const own = new AggregateError([failed('ENETUNREACH'), failed('EADDRNOTAVAIL')]);
  expect(of(own)).toEqual({
    kind: 'postponed',
    reason: 'https://partner.test: connect ENETUNREACH, connect EADDRNOTAVAIL',
  });
  // Only the first family has no way out of this machine.
  const mixed = Object.assign(new AggregateError([failed('ENETUNREACH'), failed('ECONNREFUSED')]), {
    code: 'ECONNREFUSED',
  });
  expect(of(mixed)).toMatchObject({ kind: 'retry', unreachable: true });
});

test('a family without a way out of this machine hides no host that refuses, whichever came first', () => {
  const mixed = Object.assign(new AggregateError([failed('ENETUNREACH'), failed('ECONNREFUSED')]), {
    code: 'ENETUNREACH',
  });
  expect(of(mixed)).toMatchObject({ kind: 'retry' });
});
