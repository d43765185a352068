import { ConnectPart } from './parts/connect-part';
import { HaproxyPart } from './parts/haproxy-part';
import { BROKERS, brokersOf, KafkaPart, kafkaJars } from './parts/kafka-part';
import { MYSQL_SERVERS, MySqlPart } from './parts/mysql-part';
import type { Part, PartContext } from './parts/part';
import { PrometheusPart } from './parts/prometheus-part';

/** The parts of docker-compose.yml that run natively. */
export function partsOf(context: PartContext): Part[] {
  const { ha } = context;
  const jars = kafkaJars(context);
  return [
    new PrometheusPart(context),
    ...(ha ? MYSQL_SERVERS : (['mysql'] as const)).map((name) => new MySqlPart(context, name)),
    ...brokersOf(context).map((name) => new KafkaPart(context, jars, name)),
    new ConnectPart(context, jars),
    ...(ha ? [new ConnectPart(context, jars, 'connect-b'), new HaproxyPart(context)] : []),
  ];
}

/** What starts together. Ten at once keep a small machine busy for minutes, so with `--ha` one kind waits for another. */
export function wavesOf(parts: readonly Part[], ha: boolean): Part[][] {
  if (!ha) return [[...parts]];
  const kinds = [MYSQL_SERVERS, BROKERS].map((names) => new Set<string>(names));
  const kindOf = ({ name }: Part) => kinds.findIndex((names) => names.has(name));
  return [0, 1, -1].map((kind) => parts.filter((part) => kindOf(part) === kind));
}
