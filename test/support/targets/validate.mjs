// Prints what the published schemas of Kubernetes, KEDA and prometheus-operator say against the objects on standard input,
// as JSON. A process of its own, because the schemas are ES modules.
import { readFileSync } from 'node:fs';

const packages = {
  'keda.sh': '@kubernetes-models/keda',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
};
const faults = [];
for (const manifest of JSON.parse(readFileSync(0, 'utf8'))) {
  const { apiVersion, kind } = manifest;
  const of = packages[apiVersion.split('/')[0]] ?? 'kubernetes-models';
  const model = await import(`${of}/${apiVersion}/${kind}`);
  try {
    new model[kind](manifest).validate();
  } catch (error) {
    faults.push(`${kind} ${manifest.metadata?.name}: ${error.message}`);
  }
}
process.stdout.write(JSON.stringify(faults));
