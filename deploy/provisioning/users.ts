import { rightsFaults, schemaFaults } from '../../connectors/mysql/schema/rights-check';
import { createUsers, type UserUrls } from '../../connectors/mysql/schema/users';
import { isAccessDenied } from '../../connectors/mysql/sql/failures';
import { Unavailable } from '../../topology/core/errors';
import { operatorUrl } from '../../topology/settings/connections';
import { type Environment, required } from '../../topology/settings/environment';

/** The users that `migrate --users` and `provision` make. @throws UserError naming what is not set */
export function userUrls(environment: Environment): UserUrls {
  return {
    app: required(environment, 'DATABASE_URL'),
    worker: required(environment, 'WORKER_DATABASE_URL'),
    operator: environment.OPERATOR_DATABASE_URL,
    cdc: required(environment, 'CDC_DATABASE_URL'),
  };
}

/** @returns false when the administrator may not make users: somebody else does */
export async function madeUsers(admin: string, environment: Environment): Promise<boolean> {
  try {
    await createUsers(admin, userUrls(environment));
    return true;
  } catch (error) {
    if (isAccessDenied(error)) return false;
    throw error;
  }
}

export interface DatabaseCheck {
  /** One line each, with what to do. */
  readonly faults: readonly string[];
  /** What could not be looked at, one line each. */
  readonly unknown: readonly string[];
}

/** Compares a schema and users that others have made with what is needed. @throws Unavailable */
export async function checkDatabase(environment: Environment): Promise<DatabaseCheck> {
  const { DATABASE_URL: app, OPERATOR_DATABASE_URL: operator, WORKER_DATABASE_URL: worker } = environment;
  const checks = await Promise.all([
    schemaFaults(operatorUrl(environment)),
    ...(app === undefined ? [] : [rightsFaults(app, ['app'])]),
    ...(worker === undefined
      ? []
      : [rightsFaults(worker, operator === undefined ? ['worker', 'operator'] : ['worker'])]),
    ...(operator === undefined ? [] : [rightsFaults(operator, ['operator'])]),
  ]);
  const cdc = await checkCdc(environment);
  return {
    faults: [...checks.flat(), ...cdc.faults],
    unknown: [
      ...(app === undefined ? ['the rights of the application’s user: DATABASE_URL is not set'] : []),
      ...(worker === undefined ? ['the rights of the workers’ user: WORKER_DATABASE_URL is not set'] : []),
      ...cdc.unknown,
    ],
  };
}

/** Debezium's address and certificates are those of the machine on which Connect runs. */
async function checkCdc({ CDC_DATABASE_URL: url }: Environment): Promise<DatabaseCheck> {
  const unknown = ['the rights of Debezium’s user, because its server is not reached from here'];
  if (url === undefined) return { faults: [], unknown: ['the rights of Debezium’s user: CDC_DATABASE_URL is not set'] };
  try {
    return { faults: await rightsFaults(url, ['cdc']), unknown: [] };
  } catch (error) {
    if (error instanceof Unavailable) return { faults: [], unknown };
    throw error;
  }
}
