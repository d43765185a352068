import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../../deploy/stack/host/commands';

/** Of the key store of the server, in Java's form. */
export const STORE_PASSWORD = 'changeit';

/**
 * An authority, and what it signed: for each name `<name>.pem`, `<name>.key`, both in `<name>-store.pem`, and
 * `<name>.p12`. They are for this machine.
 */
export async function makeCertificates(folder: string, names: readonly string[]): Promise<void> {
  const file = (name: string) => join(folder, name);
  const openssl = (...args: string[]) => run('openssl', args, { cwd: folder });
  const key = ['-newkey', 'rsa:2048', '-nodes'];
  await openssl('req', '-x509', ...key, '-days', '2', '-subj', '/CN=authority', '-keyout', 'ca.key', '-out', 'ca.pem');
  for (const name of names) {
    writeFileSync(file(`${name}.ext`), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
    await openssl('req', ...key, '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`);
    const signing = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', `${name}.ext`];
    await openssl('x509', '-req', '-in', `${name}.csr`, ...signing, '-out', `${name}.pem`);
    writeFileSync(
      file(`${name}-store.pem`),
      readFileSync(file(`${name}.key`), 'utf8') + readFileSync(file(`${name}.pem`), 'utf8'),
    );
    const store = ['-in', `${name}.pem`, '-inkey', `${name}.key`, '-out', `${name}.p12`];
    await openssl('pkcs12', '-export', ...store, '-passout', `pass:${STORE_PASSWORD}`);
  }
}

/** Key and trust store of Java's clients and of brokers, as PEM. */
export function pemStores(folder: string, name: string): Record<string, string> {
  return {
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': join(folder, `${name}-store.pem`),
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': join(folder, 'ca.pem'),
  };
}
