import { type Command, InvalidArgumentError, Option } from 'commander';
import { accountOf, type DatabaseRole, databaseRoles, grantsOf } from '../../../connectors/mysql/schema/users';
import { addressOf } from '../../../connectors/mysql/sql/address';
import { parseDatabaseUrl } from '../../../topology/settings/database-url';
import type { Environment } from '../../../topology/settings/environment';
import type { Output, OutputOptions } from '../../console/output';
import { type Acl, aclsOf, type KafkaRole, kafkaAclsArguments, kafkaRoles } from '../../provisioning/kafka-rights';
import { type TopologyFileOptions, topologyFileOf, withTopologyFile } from '../topology-options';
import { UsageError } from '../usage-error';
import { contextOf, dataVerb } from '../verb';

const roles = ['app', 'worker', 'operator', 'cdc', 'connect', 'admin'] as const;
type Role = (typeof roles)[number];

const purposes: Readonly<Record<Role, string>> = {
  app: 'applications, the client and the verbs about messages',
  worker: 'spouts and bolts',
  operator: 'people and supervisors: provision, deploy, scale, adopt, status, lag',
  cdc: 'the connector: Debezium',
  connect: 'the workers of Kafka Connect',
  admin: 'downspout migrate and provision: the schema and the users',
};

interface GrantsOptions extends OutputOptions, TopologyFileOptions {
  readonly role?: Role;
  readonly principal?: string;
}

interface RoleRights {
  readonly role: Role;
  readonly purpose: string;
  /** Null: this role does not connect to it. */
  readonly mysql: { readonly user: string; readonly grants: readonly string[] } | null;
  readonly kafka: { readonly principal: string; readonly acls: readonly Acl[] } | null;
}

/** `downspout grants`. */
export function grantsCommand(): Command {
  const command = dataVerb('grants', 'print what each role may do in MySQL and Kafka, as SQL and as Kafka’s ACLs', {
    example: 'downspout grants --role worker --environment production',
  });
  return withTopologyFile(command)
    .addOption(new Option('--role <role>', 'of this role only').choices(roles))
    .addOption(
      new Option(
        '--principal <principal>',
        'who the role is to Kafka, with --role (default: User:downspout_<role>)',
      ).argParser(principalOf),
    )
    .addHelpText(
      'after',
      '\nIt connects to nothing. The users are those of the connection URLs where they are set, the names in Kafka those of\n' +
        'DOWNSPOUT_NAMESPACE, the channels those of topology.yaml. Topics and group of Kafka Connect are called as in\n' +
        'docker-compose.yml: change them to your cluster’s.',
    )
    .action((options: GrantsOptions) => {
      const { output, settings } = contextOf(options);
      if (options.principal !== undefined && options.role === undefined) {
        throw new UsageError('--principal belongs to one role: give --role too.');
      }
      const { environment } = settings;
      const channels = Object.keys(topologyFileOf(options, environment).settings.bolts);
      const asked = options.role === undefined ? roles : [options.role];
      const rights = asked.map((role) => rightsOfRole(role, environment, channels, options.principal));
      output.data(rights, () => rights.map((one) => textOf(one, output)).join('\n\n'));
    });
}

function principalOf(text: string): string {
  if (!/^\w+:./.test(text)) throw new InvalidArgumentError('Expected a type and a name, such as User:worker.');
  return text;
}

function rightsOfRole(
  role: Role,
  environment: Environment,
  channels: readonly string[],
  principal = `User:downspout_${role}`,
): RoleRights {
  const inDatabase = databaseRoles.find((one) => one === role);
  const inKafka = kafkaRoles.find((one) => one === role);
  return {
    role,
    purpose: purposes[role],
    mysql: inDatabase === undefined ? null : mysqlOf(inDatabase, environment),
    kafka: inKafka === undefined ? null : { principal, acls: kafkaOf(inKafka, environment, channels) },
  };
}

function mysqlOf(role: DatabaseRole, environment: Environment): RoleRights['mysql'] {
  const urls = {
    app: environment.DATABASE_URL,
    worker: environment.WORKER_DATABASE_URL,
    operator: environment.OPERATOR_DATABASE_URL ?? environment.WORKER_DATABASE_URL,
    cdc: environment.CDC_DATABASE_URL,
    admin: environment.ADMIN_DATABASE_URL,
  };
  const known = Object.values(urls).find((url) => url !== undefined);
  const database = known === undefined ? 'downspout' : databaseOf(known);
  const url = urls[role];
  const user = url === undefined ? `downspout_${role}` : parseDatabaseUrl(url).user;
  return { user, grants: grantsOf(role, user, database) };
}

/** Debezium's URL may have parameters that others refuse, so nothing but the name is read. */
function databaseOf(url: string): string {
  return addressOf(url.replace(/\?.*$/, '')).database;
}

function kafkaOf(role: KafkaRole, environment: Environment, channels: readonly string[]): Acl[] {
  return aclsOf(role, environment.DOWNSPOUT_NAMESPACE, channels);
}

function textOf({ role, purpose, mysql, kafka }: RoleRights, output: Output): string {
  const { bold, dim } = output.colors;
  return [
    bold(`${role}: ${purpose}`),
    ...(mysql === null
      ? []
      : [
          dim(`-- MySQL: CREATE USER ${accountOf(mysql.user)} IDENTIFIED BY '…';`),
          ...mysql.grants.map((grant) => `${grant};`),
        ]),
    ...(kafka === null
      ? []
      : [
          dim('# Kafka'),
          ...kafka.acls.map(
            (acl) => `kafka-acls.sh --bootstrap-server "$BROKERS" ${argumentsText(acl, kafka.principal)}`,
          ),
        ]),
  ].join('\n');
}

function argumentsText(acl: Acl, principal: string): string {
  return kafkaAclsArguments(acl, principal)
    .map((word) => (/^[\w.:=,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(' ');
}
