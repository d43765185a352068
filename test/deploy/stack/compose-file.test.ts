import { join } from 'node:path';
import { ComposeFile } from '../../../deploy/stack/compose-file';
import { UserError } from '../../../topology/core/errors';

const FILE = join(__dirname, '../../../docker-compose.yml');

describe('ComposeFile', () => {
  it('reads versions, settings and ports of the repository’s own file', () => {
    const file = ComposeFile.read(FILE, {});
    expect(file.service('kafka').version).toBe('4.3.1');
    expect(file.service('connect').version).toBe('3.6.1.Final');
    expect(file.service('mysql').command).toContain('--gtid-mode=ON');
    expect(file.service('kafka').environment['KAFKA_AUTO_CREATE_TOPICS_ENABLE']).toBe('false');
    expect(file.service('mysql').ports).toEqual([{ number: 3306, variable: 'MYSQL_PORT' }]);
  });

  it('fills variables as Compose does', () => {
    const file = ComposeFile.parse(
      "services: { a: { image: 'x:1', command: ['${A:-one}', '${B:-two}', '$${C}', '${A:?give it}', '${D:?give it}'], ports: ['127.0.0.1:${P:-1}:2'] } }",
      'f.yml',
      { A: 'set', B: '', P: '4711' },
    );
    expect(file.service('a').command).toEqual(['set', 'two', '${C}', 'set', '']);
    expect(file.service('a').ports).toEqual([{ number: 4711, variable: 'P' }]);
  });

  it.each([
    ['services: [', 'f.yml: '],
    ['services: { a: {} }', 'f.yml: services.a.image'],
    ["services: { a: { image: 'x:1', ports: ['127.0.0.1:${P:-1}:2'] } }", 'P: expected a port'],
  ])('says what is wrong with %j', (text, expected) => {
    expect(() => ComposeFile.parse(text, 'f.yml', { P: 'tcp://1.2.3.4' })).toThrow(UserError);
    expect(() => ComposeFile.parse(text, 'f.yml', { P: 'tcp://1.2.3.4' })).toThrow(expected);
  });

  it('says which service is missing', () => {
    expect(() => ComposeFile.read(FILE, {}).service('redis')).toThrow('services.redis is missing');
  });
});
