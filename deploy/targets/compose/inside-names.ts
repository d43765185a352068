import { ComposeFile } from '../../stack/compose-file';

/**
 * On which ports a service listens for the other services, in the order in which it publishes them. Kafka names itself by
 * another address there than on the host.
 */
const INSIDE_PORTS: readonly (readonly [RegExp, readonly number[]])[] = [
  [/^mysql/, [3_306]],
  [/^haproxy$/, [3_306, 8_083]],
  [/^kafka(-[bc])?$/, [9_094]],
  [/^connect/, [8_083]],
];

/**
 * Writes addresses at which this machine reaches the services of docker-compose.yml as the services reach each other:
 * `127.0.0.1:9092` becomes `kafka:9094`. Other addresses stay.
 * @param variables of docker-compose.yml, which move the ports
 */
export function insideNames(
  composeFile: string,
  variables: Readonly<Record<string, string>>,
): (addresses: string) => string {
  const compose = ComposeFile.read(composeFile, variables);
  const names = new Map(
    compose.names().flatMap((name): [string, string][] => {
      const inside = INSIDE_PORTS.find(([pattern]) => pattern.test(name))?.[1] ?? [];
      const published = compose.service(name).ports.slice(0, inside.length);
      return published.map(({ number }, n) => [String(number), `${name}:${inside[n]}`]);
    }),
  );
  return (addresses) =>
    addresses.replaceAll(/\b(?:127\.0\.0\.1|localhost):(\d+)/g, (whole, port: string) => names.get(port) ?? whole);
}
