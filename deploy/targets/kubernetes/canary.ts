import { join } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import { UserError } from '../../../topology/core/errors';
import type { TopologySettings } from '../../../topology/settings/topology-settings';
import { SPOUT } from '../../../topology/streams';
import { counted } from '../../console/units';
import type { Watch } from '../engine';
import { writeRendering } from '../rendering';
import { ALL_WORKERS } from './ending';
import type { Revision } from './going-back';
import {
  type Cluster,
  isTimedOut,
  isUnknownKind,
  type Kubectl,
  kubectlOf,
  ROLLOUT_LIMIT_SECONDS,
  rolledOut,
} from './kubectl';
import { besideCanary, canaryLabels, canaryName, objectName } from './names';
import type { Manifest } from './patch';

/** On a canary's Deployment: how many workers ran beside which it was made, where some of them had to make room for it. */
const RAN_BEFORE = 'downspout/ran-before';
/** On it too, where KEDA is paused meanwhile: so many workers it kept before, because somebody else has paused it, or that it ran. */
const KEDA_BEFORE = 'downspout/keda-before';
const KEDA_RAN = 'runs';
/** On a ScaledObject: KEDA keeps so many workers, and takes none away and adds none. */
const PAUSED = 'autoscaling.keda.sh/paused-replicas';
/** A line for each Deployment: its name, what was before, and how long each of its workers may take to end. */
const COLUMNS =
  `-o=jsonpath={range .items[*]}{.metadata.name} {.metadata.annotations.${RAN_BEFORE}} {.metadata.annotations.${KEDA_BEFORE}} ` +
  '{.spec.template.spec.terminationGracePeriodSeconds}{"\\n"}{end}';
const LINE = /^(\S+) (\d*) (runs|\d*) (\d*)$/;
const SCALED = `-o=jsonpath={.metadata.name} {.metadata.annotations.${PAUSED.replaceAll('.', '\\.')}}`;
/** Beside the end in good order that Kubernetes waits for: it notices some time later. */
const END_MARGIN_SECONDS = 60;

export interface CanaryOptions extends Cluster {
  /** Where the manifests were written to. */
  readonly folder: string;
  /** The Kustomize folder that is applied. */
  readonly path: string;
  readonly release: number;
  readonly settings: TopologySettings;
  /** Of each component, so many workers are new and watched before the others follow. */
  readonly canaries: number;
  readonly watch: Pick<Watch, 'during'>;
  /** What the Deployments have run so far. */
  readonly revisions: ReadonlyMap<string, readonly Revision[]>;
  /** The cluster has no KEDA, or its objects may not be seen. */
  readonly withoutKeda: boolean;
}

/**
 * Makes workers of the new release beside those that run: a Deployment of its own for each component, because a Deployment has no part
 * that could be replaced alone. Its pods have labels of their own, so that no other selector takes them.
 *
 * No more workers run than there are partitions, or the new ones might own none and nobody could judge them: where there is no room,
 * as many old ones go as there are new ones, once these are ready, and KEDA adds none meanwhile. A component with one partition has
 * no canary. One that does not run yet, or runs the release already, needs none.
 * @returns the components that have canaries
 * @throws UserError with what `kubectl` says; Halted
 */
export async function makeCanaries(stage: readonly string[], options: CanaryOptions): Promise<readonly string[]> {
  const { folder, path, release, settings, canaries, watch, revisions, report, guard } = options;
  const kubectl = kubectlOf(options);
  const made: string[] = [];
  for (const component of stage) {
    const name = objectName(component);
    const runs = revisions.get(name)?.at(-1);
    if (canaries === 0 || runs === undefined || runs.release === release) continue;
    const replicas = Number(await kubectl('get', 'deployment', name, '-o=jsonpath={.spec.replicas}'));
    const partitions = component === SPOUT ? settings.spout.partitions : (settings.bolts[component]?.partitions ?? 1);
    const count = Math.min(canaries, replicas, partitions - 1);
    if (count < 1) continue;
    if (await isThere(kubectl, 'deployment', canaryName(component))) {
      report('rollout', `${canaryName(component)} of an earlier release still ends, so this one has none`);
      continue;
    }
    const stay = Math.min(replicas, partitions - count);
    const rendered = await kubectl('kustomize', path);
    const kedaBefore = stay < replicas && !options.withoutKeda ? await kedaOf(kubectl, name) : null;
    const text = canaryOf(rendered, component, count, {
      ...(stay < replicas ? { [RAN_BEFORE]: String(replicas) } : {}),
      ...(kedaBefore === null ? {} : { [KEDA_BEFORE]: kedaBefore }),
    });
    const file = `canary/${component}.yaml`;
    writeRendering(folder, [{ path: file, text }]);
    await guard.mayGoOn();
    await kubectl('apply', '-f', join(folder, file));
    await watch.during((signal) => rolledOut(kubectlOf(options, signal), canaryName(component)));
    await guard.mayGoOn();
    if (kedaBefore !== null) await pause(kubectl, name, stay);
    if (stay < replicas) await scaleTo(kubectl, name, stay);
    made.push(component);
    const who = counted(count, 'new worker runs', 'new workers run');
    report('rollout', `${canaryName(component)}: ${who} beside ${counted(stay, 'old one', 'old ones')}`);
  }
  return made;
}

/**
 * Ends canaries, whoever has made them: those of components that were rolled out, or all where a release is taken back or another one
 * begins. As many old workers run again as before them.
 * @param rolled of these the Deployments have the release, and as many workers as it says
 * @returns whether there were any
 */
export async function endCanaries(
  options: Pick<CanaryOptions, 'withoutKeda'> & Cluster,
  rolled?: readonly string[],
): Promise<boolean> {
  const { guard, report, withoutKeda } = options;
  const kubectl = kubectlOf(options);
  const there = await canariesThere(kubectl);
  const meant = rolled === undefined ? there : there.filter(({ name }) => rolled.map(canaryName).includes(name));
  // Of all of them first, because a worker may take long to end.
  for (const { beside, ranBefore, kedaBefore } of meant) {
    if (ranBefore === null || !(await isThere(kubectl, 'deployment', beside))) continue;
    // It was paused also where this release does without it.
    const isScaled = (kedaBefore !== null || !withoutKeda) && (await isThere(kubectl, 'scaledobject', beside));
    await guard.mayGoOn();
    if (isScaled && kedaBefore !== null)
      await pause(kubectl, beside, kedaBefore === KEDA_RAN ? null : Number(kedaBefore));
    // The manifest of the new release has said how many, unless that is KEDA's.
    if ((isScaled && !withoutKeda) || rolled === undefined) await scaleTo(kubectl, beside, ranBefore);
  }
  for (const { name, graceSeconds } of meant) {
    await guard.mayGoOn();
    const step = rolled === undefined ? 'undo' : 'rollout';
    const limitSeconds = Math.max(ROLLOUT_LIMIT_SECONDS, graceSeconds + END_MARGIN_SECONDS);
    try {
      // It returns when their pods have ended, which may drain.
      await kubectl('delete', 'deployment', name, '--cascade=foreground', `--timeout=${limitSeconds}s`);
      report(step, `${name} is ended`);
    } catch (error) {
      // Such as on a node that does not answer.
      if (!isTimedOut(error)) throw error;
      report(step, `${name}: a worker that was told to end ${limitSeconds} s ago is waited for no longer`);
      // Whoever ends it again restores nothing any more.
      await kubectl('annotate', 'deployment', name, `${RAN_BEFORE}-`);
    }
    await guard.mayGoOn();
    await kubectl('delete', 'networkpolicy', name, '--ignore-not-found');
  }
  return meant.length > 0;
}

interface Canary {
  readonly name: string;
  /** The Deployment beside which it was made. */
  readonly beside: string;
  readonly ranBefore: number | null;
  readonly kedaBefore: string | null;
  readonly graceSeconds: number;
}

async function canariesThere(kubectl: Kubectl): Promise<Canary[]> {
  const lines = (await kubectl('get', 'deployment', ALL_WORKERS, COLUMNS)).split('\n');
  return lines.flatMap((line) => {
    const [, name = '', ranBefore = '', kedaBefore = '', graceSeconds = ''] = LINE.exec(line) ?? [];
    const beside = besideCanary(name);
    if (beside === null) return [];
    const before = { ranBefore: ranBefore === '' ? null : Number(ranBefore), kedaBefore: kedaBefore || null };
    return [{ name, beside, ...before, graceSeconds: Number(graceSeconds) }];
  });
}

/** What KEDA is to be set back to, where it scales a Deployment; null where it does not. */
async function kedaOf(kubectl: Kubectl, name: string): Promise<string | null> {
  try {
    const said = await kubectl('get', 'scaledobject', name, '--ignore-not-found', SCALED);
    const [, paused] = /^\S+ (\d*)$/.exec(said.trimStart()) ?? [];
    return paused === undefined ? null : paused || KEDA_RAN;
  } catch (error) {
    if (isUnknownKind(error)) return null;
    throw error;
  }
}

/** @param replicas that KEDA keeps; null: it scales as it likes */
async function pause(kubectl: Kubectl, name: string, replicas: number | null): Promise<void> {
  const change = replicas === null ? [`${PAUSED}-`] : [`${PAUSED}=${replicas}`, '--overwrite'];
  await kubectl('annotate', 'scaledobject', name, ...change);
}

async function scaleTo(kubectl: Kubectl, name: string, replicas: number): Promise<void> {
  await kubectl('scale', `deployment/${name}`, `--replicas=${replicas}`);
}

async function isThere(kubectl: Kubectl, kind: 'deployment' | 'scaledobject', name: string): Promise<boolean> {
  try {
    return (await kubectl('get', kind, name, '--ignore-not-found', '-o', 'name')).trim() !== '';
  } catch (error) {
    if (isUnknownKind(error)) return false;
    throw error;
  }
}

/** A Deployment as far as a canary differs from it. */
interface WorkersManifest extends Manifest {
  readonly metadata: { readonly name: string; readonly labels?: Labels; readonly annotations?: Labels };
  readonly spec: {
    readonly template: { readonly metadata?: { readonly labels?: Labels } };
  };
}

type Labels = Readonly<Record<string, string>>;

/**
 * The canary of a component, made of what would be applied: the same pods, with the image, the settings and what an overlay changes.
 * It has a NetworkPolicy of its own, because that of the component does not reach it.
 * @param rendered every object of the Kustomize folder, as YAML
 * @param before what is to be set back when it ends
 * @throws UserError when the folder has no such component
 */
function canaryOf(rendered: string, component: string, count: number, before: Labels): string {
  const manifests = parseAllDocuments(rendered).flatMap((one) => (one.toJS() as WorkersManifest | null) ?? []);
  const find = (kind: string) =>
    manifests.find((one) => one.kind === kind && one.metadata.name === objectName(component));
  const [deployment, policy] = [find('Deployment'), find('NetworkPolicy')];
  if (deployment === undefined) throw new UserError(`kubectl kustomize prints no Deployment ${objectName(component)}.`);
  const own = canaryLabels(component);
  const renamed = ({ metadata }: WorkersManifest, annotations: Labels) => ({
    ...metadata,
    name: canaryName(component),
    labels: { ...metadata.labels, ...own },
    annotations: { ...metadata.annotations, ...annotations },
  });
  const { template } = deployment.spec;
  const labels = { ...template.metadata?.labels, ...own };
  const canary = {
    ...deployment,
    metadata: renamed(deployment, before),
    spec: {
      ...deployment.spec,
      replicas: count,
      selector: { matchLabels: own },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
  const guarded =
    policy === undefined
      ? []
      : [{ ...policy, metadata: renamed(policy, {}), spec: { ...policy.spec, podSelector: { matchLabels: own } } }];
  return [canary, ...guarded].map((one) => stringify(one, { lineWidth: 0 })).join('---\n');
}
