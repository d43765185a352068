import { parse } from 'yaml';
import type { TopologyOfEnvironment } from '../../../deploy/targets/kubernetes/render';
import { parseTopologySettings } from '../../../topology/settings/topology-settings';

/** A topology as a file would give it. @param components e.g. `'{ webhook: { replicas: 3 } }'` */
export function topologyOf(components = '{ webhook: {} }'): TopologyOfEnvironment {
  const text = `components: ${components}`;
  return { specification: parse(text), settings: parseTopologySettings(text, 'test') };
}
