import { parseAllDocuments } from 'yaml';
import { type Cluster, kubectlOf } from './kubectl';
import { CONTAINER, objectName } from './names';
import type { Manifest } from './patch';

/** The ConfigMaps that the workers of a Deployment read: Kustomize ends their names in a hash of what they hold. */
const CONFIG_MAPS =
  `-o=jsonpath={.spec.template.spec.containers[?(@.name=="${CONTAINER}")].envFrom[*].configMapRef.name} ` +
  '{.spec.template.spec.volumes[*].configMap.name}';

/** A Deployment as far as it names ConfigMaps. */
interface ReadingManifest extends Manifest {
  readonly spec?: {
    readonly template?: {
      readonly spec?: {
        readonly containers?: readonly { readonly envFrom?: readonly { readonly configMapRef?: Named }[] }[];
        readonly volumes?: readonly { readonly configMap?: Named }[];
      };
    };
  };
}

interface Named {
  readonly name: string;
}

/**
 * The components whose pods would be replaced although they run the release already, because they have other ConfigMaps. What a Secret
 * holds replaces nobody. A Deployment that is not there is none of them: it is started.
 * @param path the Kustomize folder that would be applied
 * @throws UserError with what `kubectl` says
 */
export async function outdatedIn(path: string, components: readonly string[], cluster: Cluster): Promise<string[]> {
  const kubectl = kubectlOf(cluster);
  const manifests = parseAllDocuments(await kubectl('kustomize', path)).map(
    (one) => one.toJS() as ReadingManifest | null,
  );
  const outdated: string[] = [];
  for (const component of components) {
    const name = objectName(component);
    const has = (await kubectl('get', 'deployment', name, '--ignore-not-found', CONFIG_MAPS)).trim().split(/\s+/);
    const wanted = manifests.find((one) => one?.kind === 'Deployment' && one.metadata?.name === name);
    if (has[0] !== '' && mapsOf(wanted).some((map) => !has.includes(map))) outdated.push(component);
  }
  return outdated;
}

function mapsOf(deployment: ReadingManifest | null | undefined): string[] {
  const { containers = [], volumes = [] } = deployment?.spec?.template?.spec ?? {};
  const read = containers.flatMap(({ envFrom = [] }) => envFrom.map(({ configMapRef }) => configMapRef));
  const mounted = volumes.map(({ configMap }) => configMap);
  return [...read, ...mounted].flatMap((map) => (map === undefined ? [] : [map.name]));
}
