import { InvalidArgumentError, Option } from 'commander';

/** Of the target kubernetes. */
export function namespaceOption(description: string): Option {
  return new Option('--namespace <name>', description).argParser((text) => {
    if (/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(text)) return text;
    throw new InvalidArgumentError('Expected at most 63 of a-z 0-9 -, as Kubernetes names its namespaces.');
  });
}
