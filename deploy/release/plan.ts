import { isModifying, subtractionsIn } from '../../connectors/mysql/schema/additive';
import { counted } from '../console/units';
import { planTopics } from './plan-topics';
import type { Deployable, Live, Plan, PlanStep } from './plan-types';
import { planWorkers } from './plan-workers';
import { environmentText, isOtherEnvironment, otherEnvironment } from './same-environment';
import { otherTarget } from './same-target';
import { specificationDiff } from './specification-diff';

/** How many settings of the connector a plan names. */
const NAMED_SETTINGS = 3;

export interface PlanOptions {
  /** Of a rollback: a topic that has more partitions by now keeps them. Otherwise that is refused. */
  readonly keepsPartitions?: boolean;
  /** A release of another environment may take the place of what runs. Otherwise that is refused. */
  readonly changesEnvironment?: boolean;
}

/** What deploying `wanted` would do to what is there. Nothing is read or changed. */
export function planOf(wanted: Deployable, live: Live, options: PlanOptions = {}): Plan {
  const { keepsPartitions = false, changesEnvironment = false } = options;
  const { release } = live;
  const isKnown = release !== undefined && release?.settings !== null;
  const changes = isKnown ? specificationDiff(release?.settings ?? null, wanted.settings) : [];
  const topics = planTopics(wanted.settings, live, keepsPartitions);
  const workers = planWorkers(wanted, live, changes);
  return {
    steps: [
      ...environmentSteps(wanted, live),
      ...schemaSteps(live),
      ...topics.steps,
      ...connectorSteps(live),
      ...workers.steps,
    ],
    refusals: [
      ...targetRefusals(wanted, live),
      ...(changesEnvironment ? [] : environmentRefusals(wanted, live)),
      ...schemaRefusals(wanted, live),
      ...topics.refusals,
    ],
    warnings: [...environmentWarnings(wanted, live), ...topics.warnings, ...workers.warnings, ...live.notes],
    changes,
    rolls: workers.rolls,
  };
}

function schemaSteps({ schema, mayMigrate = true }: Live): PlanStep[] {
  if (schema === undefined || schema.pending.length === 0 || !mayMigrate) return [];
  if (schema.isEmpty) return [{ what: 'schema', change: 'is made, with its users', cost: 'nothing is there yet' }];
  const tables = [...new Set(schema.pending.flatMap((sql) => /TABLE `(\w+)`/.exec(sql)?.[1] ?? []))];
  const count = counted(schema.pending.length, 'migration');
  const rewrites = schema.pending.some((sql) => isModifying(sql) || /\bDROP\b/.test(sql));
  const taken = [...new Set(schema.pending.flatMap(subtractionsIn))];
  const adds = rewrites ? 'some rewrite a table, to which nothing is written meanwhile' : 'they only add';
  const means =
    taken.length === 0
      ? `${adds}; workers of both releases go on`
      : `not additive (${taken.join(', ')}): workers of the release that runs may fail from then on, and so may those of a rollback`;
  const cost = `${means}; \`downspout migrate --dry-run\` prints them`;
  return [{ what: 'schema', change: `${count} (${tables.join(', ')})`, cost }];
}

/** Workers of a release that was begun and is not done may run, too. */
function targetRefusals({ target: wanted }: Deployable, { release, unfinished = [] }: Live): string[] {
  if (wanted === undefined) return [];
  return [release, ...unfinished].flatMap((one) => {
    const refusal = one?.target === undefined ? null : otherTarget(wanted, { number: one.number, target: one.target });
    return refusal ?? [];
  });
}

function environmentRefusals({ environment: wanted }: Deployable, { release, unfinished = [] }: Live): string[] {
  if (typeof wanted !== 'string') return [];
  return [release, ...unfinished].flatMap((one) => {
    if (one === null || one === undefined) return [];
    const { number, environment = null } = one;
    return otherEnvironment(wanted, { number, environment }) ?? [];
  });
}

/** After `kill` any environment may be deployed, and whoever has forgotten to name one learns of it. */
function environmentWarnings({ environment: wanted = null }: Deployable, { release, last }: Live): string[] {
  const { number, environment = null } = last ?? {};
  if (release !== null || !isOtherEnvironment(wanted, { environment })) return [];
  return [
    `Release ${number}, the last one, was of ${environmentText(environment)}, and this is of ${environmentText(wanted)}.`,
  ];
}

function environmentSteps({ environment: wanted = null }: Deployable, { release }: Live): PlanStep[] {
  const { environment: before = null } = release ?? {};
  if (!isOtherEnvironment(wanted, { environment: before })) return [];
  const cost = 'a new release says so; what its settings change stands below';
  return [{ what: 'environment', change: `${environmentText(before)} → ${environmentText(wanted)}`, cost }];
}

function schemaRefusals({ packageVersion }: Deployable, { schema, mayMigrate = true }: Live): string[] {
  if (schema === undefined) return [];
  if (schema.pending.length > 0 && !mayMigrate) {
    return [
      `The schema lacks ${counted(schema.pending.length, 'migration')}, and ADMIN_DATABASE_URL is not set: let somebody who may alter it run \`downspout migrate\`.`,
    ];
  }
  if (schema.newer === 0) return [];
  return [
    `The database has ${counted(schema.newer, 'migration')} that Downspout ${packageVersion} does not know, so a newer version was deployed on it, ` +
      'and a schema is never taken back. Deploy with that version or a newer one.',
  ];
}

function connectorSteps({ connector }: Live): PlanStep[] {
  if (connector === undefined || connector?.length === 0) return [];
  if (connector === null) {
    return [{ what: 'connector', change: 'is registered', cost: 'it reads no table, only changes from then on' }];
  }
  const named = connector.slice(0, NAMED_SETTINGS).join(', ');
  const more = connector.length > NAMED_SETTINGS ? ` and ${connector.length - NAMED_SETTINGS} more` : '';
  const cost = 'CDC pauses for about 2 s, and what changes meanwhile is seen then';
  return [{ what: 'connector', change: `is registered again (${named}${more} differ)`, cost }];
}
