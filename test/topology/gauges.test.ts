import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  channelGauge,
  channelGauges,
  counters,
  type Gauges,
  gaugeParts,
  gauges,
  histograms,
  metricName,
} from '../../topology/gauges';
import { Metrics } from '../../topology/runtime/metrics';

const root = join(__dirname, '..', '..');
const lists = { counters, histograms, gauges, channelGauges };
const all = Object.values(lists).flatMap((list) => Object.entries(list));
const names = all.map(([name]) => name);

describe('the list of figures', () => {
  it('names every figure once', () => {
    expect(names).toEqual([...new Set(names)]);
  });

  it('has the unit of a time or a size at the end of its name', () => {
    const suffixes: Record<string, RegExp> = { ms: /_ms$/, seconds: /_seconds$/, bytes: /_bytes$/ };
    for (const [name, { unit }] of all) {
      const fitting = Object.entries(suffixes).filter(([, suffix]) => suffix.test(name));
      expect([name, fitting.map(([of]) => of)]).toEqual([name, unit in suffixes ? [unit] : []]);
    }
    for (const name of Object.keys(counters)) expect(name).toMatch(/_total$/);
  });

  it('is what a worker shows, each figure with its help text', async () => {
    const text = await new Metrics().text();
    for (const [name, { help }] of all) expect(text).toContain(`# HELP downspout_${name} ${help}`);
    expect(text.match(/^# HELP/gm)).toHaveLength(names.length);
  });

  it('has every figure that the dashboards ask for', () => {
    const known = new Set(names.map((name) => `downspout_${name}`));
    const folder = join(root, 'deploy/monitoring/grafana/dashboards');
    const asked = readdirSync(folder).flatMap(
      (file) => readFileSync(join(folder, file), 'utf8').match(/downspout_[a-z_]+/g) ?? [],
    );
    expect(asked.length).toBeGreaterThan(0);
    expect(asked.filter((name) => !known.has(name.replace(/_(bucket|sum|count)$/, '')))).toEqual([]);
  });

  it('lets nothing else be reported', () => {
    const reported: Gauges = { held: 1, 'pending.webhook': 2, [channelGauge('entries', 'x')]: 3 };
    expect(Object.keys(reported).map(gaugeParts)).toEqual([
      { name: 'held' },
      { name: 'pending', channel: 'webhook' },
      { name: 'entries', channel: 'x' },
    ]);
    // @ts-expect-error it has another name
    const renamed: Gauges = { heldRows: 1 };
    // @ts-expect-error it has one for each channel
    const withoutChannel: Gauges = { pending: 1 };
    // @ts-expect-error it has none for channels
    const withChannel: Gauges = { 'held.webhook': 1 };
    // @ts-expect-error it is read under another name
    expect([renamed, withoutChannel, withChannel, reported.holds, metricName('held')]).toHaveLength(5);
  });
});
