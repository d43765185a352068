import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { alertGroups } from '../../../deploy/monitoring/alert-rules';
import { packageRoot } from '../../../topology/settings/package';

const read = (path: string) => readFileSync(join(packageRoot(), path), 'utf8');
const rules = alertGroups().flatMap((group) => group.rules);

describe('the alert rules', () => {
  it('are those of deploy/monitoring/alerts.yml: write it again with `downspout render alerts`', () => {
    expect(parse(read('deploy/monitoring/alerts.yml'))).toEqual({ groups: alertGroups() });
  });

  it('name an address that a person can open where one is given, and otherwise none that looks like one', () => {
    const [rule] = alertGroups('https://wiki.test/runbook').flatMap((group) => group.rules);
    expect(rule?.annotations.runbook_url).toBe('https://wiki.test/runbook#downspoutlate');
    for (const { annotations } of rules) expect(annotations).not.toHaveProperty('runbook_url');
  });

  it('are read by Prometheus', () => {
    const { rule_files: files } = parse(read('deploy/monitoring/prometheus.yml')) as { rule_files: string[] };
    expect(files).toEqual(['/etc/prometheus/alerts.yml']);
  });

  it.each(rules)('$alert has a paragraph in the runbook', ({ alert, annotations }) => {
    const [page = '', anchor] = annotations.runbook.split('#');
    expect(anchor).toBe(alert.toLowerCase());
    const [, paragraph = ''] = read(page).split(`\n## ${alert}\n`);
    expect(paragraph.split('\n## ')[0]?.length).toBeGreaterThan(200);
  });
});
