import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { UserError } from '../../../topology/core/errors';
import type { Environment } from '../../../topology/settings/environment';
import type { TopologySettings } from '../../../topology/settings/topology-settings';
import { demandPackages, type RenderedFile } from '../rendering';
import { openSettingNames, openSettingsOf } from '../worker-settings';
import { type SettingsFile, settingsOfPods } from './kept-settings';
import { type ClusterOperator, manifestsOf } from './manifests';
import { DEPLOYMENT_LABEL, FILES, FILES_FOLDER, IMAGE, SECRETS, SETTINGS, TOPOLOGY } from './names';
import { type Manifest, patchOf } from './patch';

/** A topology as it is written down, and as it was understood. */
export interface TopologyOfEnvironment {
  readonly specification: unknown;
  readonly settings: TopologySettings;
}

export interface KubernetesOptions {
  /** topology.yaml. */
  readonly base: TopologyOfEnvironment;
  /** topology.<name>.yaml, merged with it, by the name. */
  readonly overlays: ReadonlyMap<string, TopologyOfEnvironment>;
  /** `registry/downspout:1.2.3`, or with a digest. */
  readonly image: string;
  readonly environment: Environment;
  /** Where an earlier rendering may be: its files of settings are kept, and count. */
  readonly folder?: string | undefined;
  /** The release that workers read from the database; without it they read topology.yaml from a ConfigMap. */
  readonly release?: number | undefined;
  /** The id in the database of the deployment; every object says it then. */
  readonly deploymentId?: string | undefined;
  /** The namespace of all objects; that of `kubectl` unless given. */
  readonly namespace?: string | undefined;
  readonly without?: readonly ClusterOperator[] | undefined;
  readonly runbookUrl?: string | undefined;
}

const SETTINGS_OF_BASE = 'base/settings.env';
const settingsOfOverlay = (name: string) => `overlays/${name}/settings.env`;
const NOTE =
  '# Written by `downspout render kubernetes`, and written again by the next one: change topology.yaml instead.\n';

/**
 * A Kustomize base of topology.yaml, and an overlay for each environment that says what differs.
 * @throws UserError for an image without name, for a channel that is named by a path, and for a setting in a kept file that is wrong
 */
export function renderKubernetes(options: KubernetesOptions): RenderedFile[] {
  const { base, overlays } = options;
  for (const { settings } of [base, ...overlays.values()]) demandPackages(settings);
  const ofBase = manifestsOf(base.settings, { ...options, environment: podsOf(null, options) });
  return [
    {
      path: 'base/kustomization.yaml',
      text: document(kustomization([...ofBase.keys()], options)),
    },
    ...[...ofBase].map(([name, manifests]) => ({ path: `base/${name}`, text: documents(manifests) })),
    { path: 'base/topology.yaml', text: topologyFile(base.specification) },
    { path: SETTINGS_OF_BASE, text: settingsFile(options.environment), isYours: true },
    ...[...overlays].flatMap(([name, overlay]) => renderOverlay(name, overlay, ofBase, options)),
  ];
}

function renderOverlay(
  name: string,
  { specification, settings }: TopologyOfEnvironment,
  ofBase: ReadonlyMap<string, readonly Manifest[]>,
  options: KubernetesOptions,
): RenderedFile[] {
  const folder = `overlays/${name}`;
  const wanted = manifestsOf(settings, { ...options, environment: podsOf(name, options) });
  const added = [...wanted].flatMap(([file, manifests]): [string, readonly Manifest[]][] => {
    const had = ofBase.get(file);
    if (had === undefined) return [[file, manifests]];
    const others = manifests.filter((manifest) => !had.some((one) => isSame(one, manifest)));
    return others.map((manifest) => [fileOf(file, manifest, ''), [manifest]]);
  });
  const patches = [...ofBase].flatMap(([file, manifests]) => {
    const changed = wanted.get(file);
    return manifests.flatMap((manifest): [string, Manifest[]][] => {
      const other = changed?.find((one) => isSame(one, manifest));
      const patch = other === undefined ? removal(manifest) : patchOf(manifest, other);
      return patch === undefined ? [] : [[fileOf(file, manifest, '.patch'), [patch]]];
    });
  });
  const overlay = {
    // Those of the base do not reach what is added here.
    ...placeOf(options),
    resources: ['../../base', ...added.map(([file]) => file)],
    patches: patches.map(([path]) => ({ path })),
    configMapGenerator: [
      { name: TOPOLOGY, behavior: 'replace', files: ['topology.yaml'] },
      { name: SETTINGS, behavior: 'merge', envs: ['settings.env'] },
    ],
  };
  return [
    { path: `${folder}/kustomization.yaml`, text: document(kustomizationHead(overlay)) },
    ...[...added, ...patches].map(([file, manifests]) => ({ path: `${folder}/${file}`, text: documents(manifests) })),
    { path: `${folder}/topology.yaml`, text: topologyFile(specification) },
    {
      path: settingsOfOverlay(name),
      text: `# Settings that are other ones in ${name}, as NAME=value; the base has the rest. This file is yours.\n`,
      isYours: true,
    },
  ];
}

/** The files of settings that pods read, which belong to people. @param overlay undefined for the base */
export function settingsFilesOf(overlay: string | undefined): readonly string[] {
  return [SETTINGS_OF_BASE, ...(overlay === undefined ? [] : [settingsOfOverlay(overlay)])];
}

/** The settings of the pods of the base, or of an overlay. */
function podsOf(overlay: string | null, { environment, folder }: KubernetesOptions): Environment {
  const kept = (path: string): SettingsFile | null => {
    if (folder === undefined || !existsSync(join(folder, path))) return null;
    return { path: join(folder, path), text: readFileSync(join(folder, path), 'utf8') };
  };
  const base = kept(SETTINGS_OF_BASE) ?? { path: SETTINGS_OF_BASE, text: settingsFile(environment) };
  const own = overlay === null ? null : kept(settingsOfOverlay(overlay));
  return settingsOfPods(environment, own === null ? [base] : [base, own]);
}

function isSame(one: Manifest, other: Manifest): boolean {
  return one.kind === other.kind && one.metadata?.name === other.metadata?.name;
}

/** `worker-webhook.networkpolicy.patch.yaml`: no channel has a dot in its name. */
function fileOf(file: string, { kind }: Manifest, what: '' | '.patch'): string {
  return `${file.replace(/\.yaml$/, '')}.${kind.toLowerCase()}${what}.yaml`;
}

function kustomization(resources: readonly string[], options: KubernetesOptions): object {
  return kustomizationHead({
    ...placeOf(options),
    resources,
    // Their names end in a hash of what they hold: a change of the topology rolls the workers.
    configMapGenerator: [
      { name: TOPOLOGY, files: ['topology.yaml'] },
      { name: SETTINGS, envs: ['settings.env'] },
    ],
  });
}

/** What every object of a folder is given: its namespace, to which deployment it belongs, and the image. */
function placeOf({ namespace, deploymentId, image }: KubernetesOptions): object {
  return {
    ...(namespace === undefined ? {} : { namespace }),
    ...(deploymentId === undefined ? {} : { labels: [{ pairs: { [DEPLOYMENT_LABEL]: deploymentId } }] }),
    images: [imageOf(image)],
  };
}

function kustomizationHead(fields: object): object {
  return { apiVersion: 'kustomize.config.k8s.io/v1beta1', kind: 'Kustomization', ...fields };
}

function removal({ apiVersion, kind, metadata }: Manifest): Manifest & { $patch: 'delete' } {
  return { $patch: 'delete', apiVersion, kind, metadata: { name: metadata?.name as string } };
}

/** @throws UserError */
function imageOf(image: string): object {
  const [, newName, newTag, digest] = /^([^\s@]+?)(?::([\w.-]+))?(?:@(sha256:[0-9a-f]{64}))?$/.exec(image) ?? [];
  if (newName === undefined || newName === '') {
    throw new UserError(
      `--image: ${JSON.stringify(image)} names no image. Expected for example registry/downspout:1.2.3.`,
    );
  }
  return {
    name: IMAGE,
    newName,
    ...(newTag === undefined ? {} : { newTag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

function settingsFile(environment: Environment): string {
  const values = openSettingsOf(environment, FILES_FOLDER);
  const lines = openSettingNames().map((name) =>
    values[name] === undefined ? `# ${name}=` : `${name}=${values[name]}`,
  );
  return [
    '# The settings of the workers, as pods see the parts. This file is yours: it is not written again.',
    `# Secrets do not belong here: the Secret ${SECRETS} has them. Files are in the Secret ${FILES}, each under`,
    `# the name of its setting, and are found as ${FILES_FOLDER}/<name>.`,
    ...lines,
    '',
  ].join('\n');
}

/** In one order, because that of a file is lost in the database: pods are not replaced for it. */
function topologyFile(specification: unknown): string {
  return NOTE + stringify(specification, { lineWidth: 0, aliasDuplicateObjects: false, sortMapEntries: true });
}

function documents(manifests: readonly object[]): string {
  return NOTE + manifests.map((manifest) => text(manifest)).join('---\n');
}

function document(value: unknown): string {
  return NOTE + text(value);
}

function text(value: unknown): string {
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });
}
