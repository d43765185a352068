import { InvalidArgumentError, Option } from 'commander';

/** Where workers of this host serve /healthz, /readyz and /metrics. */
export function statusHostOption(): Option {
  const help = 'the address at which workers serve /metrics (default: 127.0.0.1, for a Prometheus on this host)';
  return new Option('--status-host <address>', help).argParser((text) => {
    if (/^[\w.:-]{1,255}$/.test(text)) return text;
    throw new InvalidArgumentError('Expected an address of this host, such as 10.0.0.5, or 0.0.0.0 for all of them.');
  });
}
