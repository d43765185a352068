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

  it('are read by Prometheus', () => {
    const { rule_files: files } = parse(read('deploy/monitoring/prometheus.yml')) as { rule_files: string[] };
    expect(files).toEqual(['/etc/prometheus/alerts.yml']);
  });

  it.each(rules)('$alert has a paragraph in the runbook', ({ alert, annotations }) => {
    const [page = '', anchor] = annotations.runbook_url.split('#');
    expect(anchor).toBe(alert.toLowerCase());
    const [, paragraph = ''] = read(page).split(`\n## ${alert}\n`);
    expect(paragraph.split('\n## ')[0]?.length).toBeGreaterThan(200);
  });
});
