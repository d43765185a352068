import { type Acl, aclsOf, kafkaAclsArguments, kafkaRoles } from '../../../deploy/provisioning/kafka-rights';
import { topicsOf } from '../../../deploy/provisioning/topics';
import { testSettings } from '../../support/stack/stack';

const settings = testSettings('{ webhook: {}, other: {} }');
const channels = Object.keys(settings.bolts);

function may(acls: readonly Acl[], resource: 'topic' | 'group', name: string): readonly string[] {
  return acls.filter((acl) => acl.resource === resource && acl.name === name).flatMap(({ operations }) => operations);
}

test('names follow the namespace, except those of the Connect cluster', () => {
  for (const role of kafkaRoles) {
    const names = aclsOf(role, 'shop', channels).map(({ name }) => name);
    expect(names.filter((name) => !name.startsWith('shop.') && !name.startsWith('connect'))).toEqual([]);
  }
});

test('the operator may make every topic of the deployment, and a worker none', () => {
  for (const { name } of topicsOf('shop', settings)) {
    expect(may(aclsOf('operator', 'shop', channels), 'topic', name)).toEqual(
      expect.arrayContaining(['CREATE', 'ALTER', 'DESCRIBE_CONFIGS', 'ALTER_CONFIGS']),
    );
  }
  const ofWorker = new Set(aclsOf('worker', 'shop', channels).flatMap(({ operations }) => operations));
  expect([...ofWorker].toSorted()).toEqual(['DESCRIBE', 'READ', 'WRITE']);
});

test('only a worker writes tuples, and only Connect writes changes', () => {
  for (const role of kafkaRoles) {
    const acls = aclsOf(role, '', channels);
    expect(may(acls, 'topic', 'due.webhook').includes('WRITE')).toBe(role === 'worker');
    expect(may(acls, 'topic', 'schedule-changes').includes('WRITE')).toBe(role === 'connect');
  }
});

test('an ACL is arguments of Kafka’s own tool', () => {
  const [acl] = aclsOf('operator', '', []).slice(-1) as [Acl];
  expect(kafkaAclsArguments(acl, 'User:o').join(' ')).toBe(
    '--add --allow-principal User:o --operation READ --operation DELETE --group probe- --resource-pattern-type prefixed',
  );
});
