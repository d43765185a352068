import { type HostileTenant, hostileTenants } from '../../support/tenants/hostile-tenants';
import { harm } from '../world/harm';
import type { Fault } from './fault';

/** How long each does harm after its instant. `npm run bench -- --scenario tenants` has the long form, with figures. */
const LASTS_MS = 12_000;
/** Others are seconds late where one tenant can hold them up; on a busy machine they are late by some hundred milliseconds. */
const P95_LATE_MS = 2_000;
const MOST_LATE_MS = 15_000;

/** Half a minute each: those that took most from others before the slots were fair. */
const SHORT = /1,000 hosts that hang|others use too/;

function tenantFault(tenant: HostileTenant): Fault {
  return {
    name: `one account has ${tenant.name}`,
    short: SHORT.test(tenant.name),
    mostLateMs: MOST_LATE_MS,
    p95LateMs: P95_LATE_MS,
    run: (arena) => harm(arena, tenant, LASTS_MS),
  };
}

export const tenantFaults: readonly Fault[] = hostileTenants.map(tenantFault);
