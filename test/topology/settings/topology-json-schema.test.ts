import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Ajv from 'ajv';
import { parse } from 'yaml';
import { packageRoot } from '../../../topology/settings/package';
import { parseSpecification, readTopologyFile } from '../../../topology/settings/topology-settings';
import { schemaFile, schemaText } from './schema-text';

/** How each description ends: with its range, an example, or its words. */
const FORM = /: (?:\d+\w* to \d+\w*(?:, or none)?|.*, such as \w+|\w+(?:, \w+)* or \w+)\.$/;
const published = readFileSync(schemaFile, 'utf8');
const accepts = new Ajv({ allErrors: true, strictTypes: false }).compile(JSON.parse(published) as object);

function isParsed(value: unknown): boolean {
  try {
    parseSpecification(value, 'here');
    return true;
  } catch {
    return false;
  }
}

test('docs/topology.schema.json is what the parser says; `npm run schema` writes it', () => {
  expect(published).toBe(schemaText());
});

test.each([
  [true, 'components: {}'],
  [true, 'components: { due: {}, webhook: {}, another_channel: {} }'],
  [true, 'components: { due: { lead: 0, maxPending: 1000000 } }'],
  [true, 'components: { webhook: { timeout: 1.5s, giveUpAfter: 2 d, maxHeldBytes: 1GiB } }'],
  [true, 'components: { webhook: { timeout: 1500, replicas: 256, partitions: 256 } }'],
  [true, 'components: { linkedin: { apiVersion: 202611 }, other: { apiVersion: v27.0 } }'],
  [
    true,
    'components: { x: { sendWithin: none, onLate: skip }, webhook: { sendWithin: 36h }, email: { sendWithin: 1500 } }',
  ],
  [true, 'components: { x: { limits: { perAccount: { rate: 100/15min, perDay: 250, gap: 2s }, perApp: {} } } }'],
  [false, 'components: { x: { limits: { perAccount: { rate: often } } } }'],
  [false, 'components: { x: { limits: { perAccount: { perHour: 3 } } } }'],
  [true, 'components: {}\ntopics: {}'],
  [true, 'channels: ["@acme/downspout-sms", ./sms.js, ../sms, /opt/sms.js]\ncomponents: {}'],
  [true, 'channels: []\ncomponents: {}'],
  [false, 'channels: sms\ncomponents: {}'],
  [false, 'channels: [""]\ncomponents: {}'],
  [false, 'channels: ["node:fs"]\ncomponents: {}'],
  [false, 'channels: ["https://example.com/sms.js"]\ncomponents: {}'],
  [true, 'components: {}\ntopics: { replicationFactor: 3, minInsyncReplicas: 2 }'],
  [false, ''],
  [false, '[]'],
  [false, '{}'],
  [false, 'components: []'],
  [false, 'components: { webhook: }'],
  [false, 'components: { webhook: 3 }'],
  [false, 'components: { due: { concurrency: 1 } }'],
  [false, 'components: { webhook: { lead: 1s } }'],
  [false, 'components: { webhook: { perHost: 1 } }'],
  [false, 'components: { webhook: { replicas: 0 } }'],
  [false, 'components: { webhook: { replicas: 1.5 } }'],
  [false, 'components: { webhook: { replicas: 257, partitions: 256 } }'],
  [false, 'components: { webhook: { replicas: "2" } }'],
  [false, 'components: { webhook: { timeout: 99 } }'],
  [false, 'components: { webhook: { timeout: 3600001 } }'],
  [false, 'components: { webhook: { timeout: soon } }'],
  [false, 'components: { webhook: { sendWithin: never } }'],
  [false, 'components: { webhook: { sendWithin: 999 } }'],
  [false, 'components: { webhook: { onLate: drop } }'],
  [false, 'components: { webhook: { timeout: 10MiB } }'],
  [false, 'components: { webhook: { maxHeldBytes: 64MB } }'],
  [false, 'components: { webhook: { maxHeldBytes: 0 } }'],
  [false, 'components: { linkedin: { apiVersion: 0 } }'],
  [false, 'components: { "1st": {} }'],
  [false, `components: { ${'x'.repeat(33)}: {} }`],
  [false, 'components: {}\ntopics: { replicationFactor: 0 }'],
  [false, 'components: {}\ntopics: { partitions: 3 }'],
  [false, 'components: {}\nversion: 1'],
])('the schema and the parser agree: %p, %s', (isRight, text) => {
  const value: unknown = parse(text);
  expect([isParsed(value), accepts(value)]).toEqual([isRight, isRight]);
});

test.each([
  ['components: { webhook: { timeout: 2h } }', 'the range of a time with a unit'],
  ['components: { webhook: { replicas: 9 } }', 'more replicas than partitions'],
  ['components: { webhook: { backOff: 2h } }', 'two times that contradict each other'],
  ['components: {}\ntopics: { replicationFactor: 1, minInsyncReplicas: 2 }', 'copies that cannot be'],
])('only the parser refuses %s: %s', (text) => {
  const value: unknown = parse(text);
  expect([isParsed(value), accepts(value)]).toEqual([false, true]);
});

const { definitions, properties } = JSON.parse(published) as SchemaNode;
const fields = [definitions?.['bolt'], properties?.['components']?.properties?.['due'], properties?.['topics']].flatMap(
  (node) => Object.entries(node?.properties ?? {}),
);

test('every field has a description with its range or its form, and editors find the schema', () => {
  expect(fields.length).toBeGreaterThan(20);
  for (const [, { description }] of fields) expect(description).toMatch(FORM);
  const [first] = readFileSync(join(packageRoot(), 'topology.yaml'), 'utf8').split('\n');
  expect(first).toBe('# yaml-language-server: $schema=docs/topology.schema.json');
});

test('what comes with the package tries a webhook for a day, at a pace that ends at an hour', () => {
  const { webhook } = readTopologyFile({ path: join(packageRoot(), 'topology.yaml') }).settings.bolts;
  expect(webhook).toMatchObject({ giveUpAfterMs: 24 * 3_600_000, backOffMaxMs: 3_600_000 });
});

test('docs/topology-file.md has every field with its default and its meaning', () => {
  const page = readFileSync(join(packageRoot(), 'docs', 'topology-file.md'), 'utf8');
  const rows = fields.map(([name, { description, default: fallback }]) => {
    return `| \`${name}\` | ${fallback === undefined ? '–' : `\`${fallback}\``} | ${description} |`;
  });
  expect(rows.filter((row) => !page.includes(row))).toEqual([]);
});

interface SchemaNode {
  readonly description?: string;
  readonly default?: string | number;
  readonly definitions?: Readonly<Record<string, SchemaNode>>;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
}
