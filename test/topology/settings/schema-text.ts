import { join } from 'node:path';
import { z } from 'zod';
import { payloads } from '../../../topology/payloads/payloads';
import { packageRoot } from '../../../topology/settings/package';
import { BOLT_SCHEMA, topologySchema } from '../../../topology/settings/topology-schema';

export const schemaFile = join(packageRoot(), 'docs', 'topology.schema.json');

/**
 * What docs/topology.schema.json is to contain, by which editors complete and check topology.yaml. It knows each field by
 * itself: of a time or size with its unit it checks the form, and what two fields must be to each other only the parser knows.
 */
export function schemaText(): string {
  const schema = z.toJSONSchema(topologySchema, { io: 'input', target: 'draft-7' });
  const components = schema.properties?.['components'] as z.core.JSONSchema.ObjectSchema;
  // Editors offer the channels that there are; any other name is accepted too.
  const channels = Object.keys(payloads).map((name) => [name, { $ref: `#/definitions/${BOLT_SCHEMA}` }]);
  const properties = { ...components.properties, ...Object.fromEntries(channels) };
  const whole = { ...schema, properties: { ...schema.properties, components: { ...components, properties } } };
  return `${JSON.stringify(whole, null, 2)}\n`;
}
