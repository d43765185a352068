import { parseSources } from '../../../../deploy/stack/fetch/debian';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

describe('parseSources', () => {
  it('finds the archive in the newer form', () => {
    const text = [
      'Types: deb\nURIs: http://mirror.test/debian-security\nSuites: stable-security\nComponents: main',
      'Types: deb\n# why\nURIs: http://mirror.test/debian\nSuites: stable\nComponents: main\nSigned-By: /keys/debian.gpg',
    ].join('\n\n');
    expect(parseSources(text, true)).toEqual({ uri: 'http://mirror.test/debian', keyring: '/keys/debian.gpg' });
  });

  it('passes over what is switched off', () => {
    expect(parseSources('Enabled: no\nTypes: deb\nURIs: http://mirror.test/debian\nSuites: stable', true)).toBeNull();
  });

  it('finds the archive in the one-line form', () => {
    const text = '# deb http://old.test/debian stable main\ndeb https://x.test/node nodistro main\n';
    expect(parseSources(text, false)).toBeNull();
    expect(parseSources(`${text}deb [arch=amd64] http://mirror.test/debian/ stable main`, false)).toEqual({
      uri: 'http://mirror.test/debian/',
      keyring: KEYRING,
    });
    expect(parseSources('deb [signed-by=/k.gpg] http://mirror.test/debian stable main', false)?.keyring).toBe('/k.gpg');
  });
});
