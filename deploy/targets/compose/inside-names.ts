import { readStackVariables } from '../../../topology/settings/environment';
import { ComposeFile } from '../../stack/compose-file';

/** On which port a service listens for the other services. Kafka names itself by another address there than on the host. */
const INSIDE_PORTS = [
  [/^(mysql|haproxy)/, 3_306],
  [/^kafka(-\d+)?$/, 9_094],
  [/^connect/, 8_083],
] as const;

/**
 * Writes addresses at which this machine reaches the services of docker-compose.yml as the services reach each other:
 * `127.0.0.1:9092` becomes `kafka:9094`. Other addresses stay.
 */
export function insideNames(composeFile: string): (addresses: string) => string {
  const compose = ComposeFile.read(composeFile, readStackVariables());
  const names = new Map(
    compose.names().flatMap((name): [string, string][] => {
      const published = compose.service(name).port?.number;
      const inside = INSIDE_PORTS.find(([pattern]) => pattern.test(name))?.[1];
      return published === undefined || inside === undefined ? [] : [[String(published), `${name}:${inside}`]];
    }),
  );
  return (addresses) =>
    addresses.replaceAll(/\b(?:127\.0\.0\.1|localhost):(\d+)/g, (whole, port: string) => names.get(port) ?? whole);
}
