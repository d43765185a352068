import { join } from 'node:path';
import { reasonOf, UserError } from '../../../topology/core/errors';
import { replicasOf, settingsOrNull, type TopologySettings } from '../../../topology/settings/topology-settings';
import { graceSeconds } from '../../worker/drain-limit';
import { type EngineRollout, GoingBackFailed, Halted, NothingChanged, wayBack, wayTo } from '../engine';
import { writeRendering } from '../rendering';
import { stagesOf } from '../roll-order';
import { endCanaries, makeCanaries } from './canary';
import { ALL_WORKERS, end, endOthers } from './ending';
import { goBackOf, type Revision, revisionsOf } from './going-back';
import { type Cluster, drained, type Kubectl, kubectlOf, podsOf, rolledOut, tellCluster } from './kubectl';
import type { ClusterOperator } from './manifests';
import { COMPONENT_LABEL, objectName } from './names';
import { operatorsLeftOut } from './operators';
import { outdatedIn } from './outdated';
import { type KubernetesOptions, renderKubernetes } from './render';

const REQUEST_LIMIT_SECONDS = 30;
/** Beside the end in good order that Kubernetes waits for: it notices some time later. */
const DRAIN_MARGIN_MS = 30_000;

export interface KubernetesDeployment
  extends Cluster,
    Omit<EngineRollout, 'guard'>,
    Omit<KubernetesOptions, 'release' | 'namespace' | 'image'> {
  /** Where the manifests are written to. */
  readonly folder: string;
  /** The overlay that is applied; the base when it is not given. */
  readonly overlay: string | undefined;
  /** Workers have to be there, because nobody has said where they are to be. */
  readonly mustRun?: boolean;
  /** Of each component, so many workers are new and watched before the others of its stage follow; 0 unless given. */
  readonly canaries?: number;
}

type Revisions = ReadonlyMap<string, readonly Revision[]>;

/**
 * Deploys a topology to the cluster that `kubectl` talks to.
 *
 * 1. It returns when every worker of the new release is ready and the old ones are gone.
 * 2. When a rollout does not come to its end, or is halted, every Deployment that has the release goes back to the one that ran before.
 * 3. It can be run again after it was interrupted: the cluster is asked for the same again.
 * 4. It changes nothing once the command may not go on.
 * 5. Workers of components that the release does not have end with all that belongs to them, whichever release has left them.
 * 6. The components are replaced in stages, and of those of one stage no old worker runs any more when the next one begins. Going back, too.
 * 7. Of the components of a stage canaries are made and watched before the others follow, and they are gone when these are replaced, or go back.
 *
 * What one release has in a ScaledObject, a NetworkPolicy or a budget stays until the next one is applied.
 * @throws UserError with what `kubectl` says; Halted; GoingBackFailed; NothingChanged when it says that before anything is applied
 */
export async function deployToKubernetes(options: KubernetesDeployment): Promise<void> {
  const { report, guard, release, watch } = options;
  const { number } = release;
  const kubectl = kubectlOf(options);
  const settings = settingsIn(options);
  const { revisions, without } = await seenBefore(kubectl, options);
  const path = written({ ...options, without });
  await guard.mayGoOn();
  const components = [...replicasOf(settings).keys()];
  const withoutKeda = without.includes('keda');
  // Of a release that runs already nobody is watched.
  const canaries = release.number === options.live?.number ? 0 : (options.canaries ?? 0);
  const canary = { ...options, path, release: number, settings, canaries, revisions, withoutKeda };
  try {
    await endCanaries(canary);
    await apply(kubectl, path, `!${COMPONENT_LABEL}`);
    for (const stage of stagesOf(components, wayTo(options))) {
      await guard.mayGoOn();
      const watched = await makeCanaries(stage, canary);
      if (watched.length > 0) await watch.replaced(watched);
      // When one object is refused, the others are applied nevertheless.
      await apply(kubectl, path, `${COMPONENT_LABEL} in (${stage.join(',')})`);
      for (const component of stage) {
        await watch.during((signal) => rolledOut(kubectlOf(options, signal), objectName(component)));
        await untilDrained(component, (args) => !isOf(number, args), options);
        report('rollout', `${objectName(component)} is rolled out`);
      }
      if (watched.length > 0) await endCanaries(canary, watched);
      await watch.replaced(stage.filter((component) => !watched.includes(component)));
    }
    await watch.end();
  } catch (error) {
    if (error instanceof Halted) report('undo', `halted: ${error.message}`);
    const undone = await undo(components, revisions, { ...options, withoutKeda });
    if (!undone.isBack) throw new GoingBackFailed(textOf(error, undone.text));
    throw error instanceof Halted ? error : new UserError(textOf(error, undone.text));
  }
  await endOthers(components.map(objectName), number, options);
}

/**
 * The components whose pods a deploy of the release that they run would replace. It writes the manifests.
 * @throws UserError with what `kubectl` says
 */
export async function outdatedOnKubernetes(options: WrittenOptions & Cluster): Promise<readonly string[]> {
  const components = [...replicasOf(settingsIn(options)).keys()];
  return outdatedIn(written(options), components, options);
}

/** What the manifests are rendered from, and where they are written. */
type WrittenOptions = Omit<KubernetesDeployment, 'live' | 'unfinished' | 'isBack' | 'watch' | 'mustRun' | 'canaries'>;

/** The topology that is deployed. @throws NothingChanged */
function settingsIn({ overlay, overlays, base }: WrittenOptions): TopologySettings {
  const topology = overlay === undefined ? base : overlays.get(overlay);
  if (topology !== undefined) return topology.settings;
  throw new NothingChanged(`There is no topology.${overlay}.yaml. Write it, or leave --environment out.`);
}

/** Writes the manifests. @returns the Kustomize folder that is applied */
function written({ release: { number, image }, ...options }: WrittenOptions): string {
  const { folder, overlay, report } = options;
  const files = writeRendering(folder, renderKubernetes({ ...options, image, release: number }));
  report('manifests', `${files.filter(({ state }) => state === 'written').length} files written below ${folder}`);
  return join(folder, overlay === undefined ? 'base' : join('overlays', overlay));
}

/** Replaces all pods of a component at once. */
export async function restartOnKubernetes(component: string, cluster: Cluster): Promise<void> {
  const kubectl = kubectlOf(cluster);
  const name = objectName(component);
  if ((await kubectl('get', 'deployment', name, '--ignore-not-found', '-o', 'name')).trim() === '') return;
  await cluster.guard.mayGoOn();
  await kubectl('delete', 'pod', podsOf(component));
  await rolledOut(kubectl, name);
  cluster.report('rollout', `${name} is restarted`);
}

function textOf(error: unknown, undone: string): string {
  return `${error instanceof Halted ? 'The rollout was halted' : 'The rollout failed'}. ${undone}\n${reasonOf(error)}`;
}

/** @param which a selector by labels */
async function apply(kubectl: Kubectl, path: string, which: string): Promise<void> {
  await kubectl('apply', `--request-timeout=${REQUEST_LIMIT_SECONDS}s`, '-k', path, `--selector=${which}`);
}

/**
 * What the Deployments have run so far, and which operators are left out: where workers have to be there, those too that they do without.
 * @throws NothingChanged when the cluster does not say so, or workers have to be there and are not
 */
async function seenBefore(
  kubectl: Kubectl,
  { report, guard, live, without = [], mustRun = false }: KubernetesDeployment,
): Promise<{ readonly revisions: Revisions; readonly without: readonly ClusterOperator[] }> {
  try {
    await tellCluster(kubectl, report);
    const revisions = await revisionsOf(kubectl, ALL_WORKERS);
    if (!mustRun || live === null) return { revisions, without };
    if (revisions.size > 0) return { revisions, without: await operatorsLeftOut(kubectl, without) };
  } catch (error) {
    guard.signal.throwIfAborted();
    throw error instanceof UserError ? new NothingChanged(error.message) : error;
  }
  throw new NothingChanged(
    `kubectl finds no worker of release ${live.number}. Give --namespace and the context as \`deploy\` had them.`,
  );
}

function isOf(release: number, args: string): boolean {
  return args.includes(`"--release=${release}"`);
}

async function untilDrained(
  component: string,
  isOld: (args: string) => boolean,
  options: KubernetesDeployment,
): Promise<void> {
  const { release, live, unfinished, report } = options;
  const seconds = [release, ...(live === null ? [] : [live]), ...unfinished].flatMap(({ specification }) => {
    const settings = settingsOrNull(specification);
    return settings === null ? [] : [graceSeconds([component], settings)];
  });
  const limitMs = Math.max(0, ...seconds) * 1_000 + DRAIN_MARGIN_MS;
  if (await drained(component, isOld, limitMs, options)) return;
  report(
    'rollout',
    `${objectName(component)}: a worker that was told to end ${limitMs / 1_000} s ago is waited for no longer`,
  );
}

/**
 * Takes the release back wherever it runs, whoever has applied it.
 * @param before what there was: where only settings have changed, a Deployment of the same revision is left alone
 * @throws the guard's reason
 */
async function undo(
  components: readonly string[],
  before: Revisions,
  options: KubernetesDeployment & { readonly withoutKeda: boolean },
): Promise<{ readonly isBack: boolean; readonly text: string }> {
  const { release, live, guard, report } = options;
  const kubectl = kubectlOf(options);
  const numbers = { release: release.number, live: live?.number ?? null };
  const failures: string[] = [];
  let ranBefore = false;
  let isEnded = false;
  let revisions: Revisions | undefined;
  try {
    await guard.mayGoOn();
    ranBefore = await endCanaries(options);
  } catch (error) {
    guard.signal.throwIfAborted();
    failures.push(`the canaries: ${reasonOf(error)}`);
  }
  for (const component of stagesOf(components, wayBack(options)).flat()) {
    await guard.mayGoOn();
    const name = objectName(component);
    try {
      revisions ??= await revisionsOf(kubectl, ALL_WORKERS);
      const isSame = revisions.get(name)?.at(-1)?.number === before.get(name)?.at(-1)?.number;
      if (numbers.live === numbers.release && isSame) continue;
      const step = goBackOf(revisions.get(name) ?? [], numbers);
      if (step === null) continue;
      ranBefore ||= step !== 'delete';
      if (step === 'delete') {
        isEnded = true;
        await end(kubectl, name, guard);
        report('undo', `${name} is ended, as nothing ran before`);
      } else {
        await kubectl('rollout', 'undo', `deployment/${name}`, `--to-revision=${step.toRevision}`);
        await rolledOut(kubectl, name);
        if (numbers.live !== numbers.release)
          await untilDrained(component, (args) => isOf(release.number, args), options);
        report('undo', `${name} is what it was before`);
      }
    } catch (error) {
      guard.signal.throwIfAborted();
      failures.push(`${name}: ${reasonOf(error)}`);
    }
  }
  if (failures.length > 0) {
    const text = `Going back failed too, so look at the cluster (kubectl rollout undo):\n${failures.join('\n')}`;
    return { isBack: false, text };
  }
  if (ranBefore) return { isBack: true, text: 'The workers that ran before run again.' };
  const text = isEnded ? 'Nothing ran before, so its workers were ended.' : 'There is nothing to go back to.';
  return { isBack: true, text };
}
