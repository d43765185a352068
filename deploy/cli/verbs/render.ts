import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { stringify } from 'yaml';
import { UserError } from '../../../topology/core/errors';
import { readEnvironment, readStackVariables } from '../../../topology/settings/environment';
import { packageRoot, packageVersion } from '../../../topology/settings/package';
import { Output, type OutputOptions } from '../../console/output';
import { alertGroups } from '../../monitoring/alert-rules';
import { stackInDocker } from '../../stack/compose-project';
import { stackFolder } from '../../stack/stack-folder';
import { insideNames } from '../../targets/compose/inside-names';
import { renderCompose } from '../../targets/compose/render';
import { type ClusterOperator, clusterOperators } from '../../targets/kubernetes/manifests';
import { renderKubernetes } from '../../targets/kubernetes/render';
import { type RenderedFile, writeRendering } from '../../targets/rendering';
import { renderSystemd } from '../../targets/systemd/render';
import { readTopologies } from '../../targets/topologies';
import { dataVerb } from '../verb';

interface RenderOptions extends OutputOptions {
  readonly topology?: string;
  readonly environment?: string;
  readonly image: string;
  readonly out: string;
}

interface KubernetesVerbOptions extends RenderOptions {
  readonly namespace?: string;
  readonly without?: readonly ClusterOperator[];
  readonly runbookUrl?: string;
}

interface SystemdVerbOptions extends OutputOptions {
  readonly topology?: string;
  readonly environment?: string;
  readonly user: string;
  readonly settings: string;
  readonly out?: string;
}

/** `downspout render kubernetes|compose|systemd|alerts`. */
export function renderCommand(): Command {
  return new Command('render')
    .description('write what another engine runs the topology from')
    .addCommand(kubernetes())
    .addCommand(compose())
    .addCommand(systemd())
    .addCommand(alerts());
}

function kubernetes(): Command {
  return withTopology('kubernetes', 'write a Kustomize base of topology.yaml, and an overlay for each environment', {
    example: 'downspout render kubernetes --image registry.example/downspout:1.2.3 --out kubernetes',
  })
    .option('--image <image>', 'the image of the workers', `downspout:${packageVersion()}`)
    .option('--namespace <name>', "the namespace of all objects (default: kubectl's own)")
    .addOption(
      new Option('--without <operators...>', 'what the cluster lacks: objects for it are left out').choices(
        clusterOperators,
      ),
    )
    .addOption(runbookOption())
    .option('--out <folder>', 'where the files are written', 'kubernetes')
    .addHelpText(
      'after',
      '\nSettings come from the environment and are written once, into settings.env; secrets are never written.\n' +
        'Apply it with: kubectl apply -k kubernetes/overlays/production',
    )
    .action((options: KubernetesVerbOptions) => {
      const { base, overlays } = readTopologies(pathOf(options));
      const { environment: only } = options;
      if (only !== undefined && !overlays.has(only)) throw noEnvironment(only);
      const files = renderKubernetes({
        ...options,
        base,
        overlays: only === undefined ? overlays : new Map([...overlays].filter(([name]) => name === only)),
        environment: readEnvironment(),
        folder: options.out,
      });
      write(options, options.out, files);
    });
}

function compose(): Command {
  return withTopology('compose', 'write the workers of topology.yaml as services beside those of docker-compose.yml', {
    example: 'downspout render compose --image downspout:1.2.3 --out compose',
  })
    .option('--image <image>', 'the image of the workers', `downspout:${packageVersion()}`)
    .option('--out <folder>', 'where the files are written', 'compose')
    .addHelpText(
      'after',
      '\nRun it with: docker compose -f docker-compose.yml -f compose/workers.yml up --detach\n' +
        'Beside a stack that `downspout up` has started in Docker, add: --env-file .downspout/compose.env',
    )
    .action((options: RenderOptions) => {
      const { variables } = stackInDocker(stackFolder(), readStackVariables());
      write(
        options,
        options.out,
        renderCompose({
          ...topologyFor(options),
          image: options.image,
          environment: readEnvironment(),
          inside: insideNames(join(packageRoot(), 'docker-compose.yml'), variables),
        }),
      );
    });
}

function systemd(): Command {
  return withTopology('systemd', 'print the systemd unit of the supervisor, or write it and units of the workers', {
    example: 'downspout render systemd > /etc/systemd/system/downspout-supervisor.service',
  })
    .option('--user <name>', 'the user that the units run as', 'downspout')
    .option('--settings <file>', 'the file of settings that the units read', '/etc/downspout/downspout.env')
    .option('--out <folder>', 'where all units are written; without it the one of the supervisor is printed')
    .action((options: SystemdVerbOptions) => {
      const program = [process.execPath, join(packageRoot(), 'dist', 'deploy', 'cli', 'downspout.js')];
      const { settings } = topologyFor(options);
      const files = renderSystemd({ settings, program, user: options.user, settingsFile: options.settings });
      if (options.out !== undefined) return write(options, options.out, files);
      const [supervisor] = files as [RenderedFile];
      new Output(options).data(supervisor, () => supervisor.text.trimEnd());
    });
}

function alerts(): Command {
  return dataVerb('alerts', 'print the alert rules for a Prometheus of your own', {
    example: 'downspout render alerts > alerts.yml',
  })
    .addOption(runbookOption())
    .action((options: OutputOptions & { readonly runbookUrl?: string }) => {
      const rules = { groups: alertGroups(options.runbookUrl) };
      new Output(options).data(rules, () => stringify(rules, { lineWidth: 0 }).trimEnd());
    });
}

function runbookOption(): Option {
  const help = 'the address at which people who are called can open docs/runbook.md; alerts name it then';
  return new Option('--runbook-url <address>', help).argParser((text) => {
    const url = URL.canParse(text) ? new URL(text) : null;
    if (url !== null && /^https?:$/.test(url.protocol) && url.hash === '') return url.href;
    throw new InvalidArgumentError(
      'Expected an http or https address, such as https://wiki.example/downspout-runbook.',
    );
  });
}

function withTopology(name: string, description: string, manners: { readonly example: string }): Command {
  return dataVerb(name, description, manners)
    .option('--topology <file>', 'topology.yaml, where it is not in the current folder')
    .option('--environment <name>', 'production for what topology.production.yaml makes of it');
}

function pathOf({ topology }: { readonly topology?: string }): string | undefined {
  return topology ?? readEnvironment().DOWNSPOUT_TOPOLOGY;
}

/** What topology.yaml is in one environment. */
function topologyFor(options: { readonly topology?: string; readonly environment?: string }) {
  const { base, overlays } = readTopologies(pathOf(options));
  const name = options.environment ?? readEnvironment().DOWNSPOUT_ENVIRONMENT;
  const found = name === undefined ? base : overlays.get(name);
  if (found === undefined) throw noEnvironment(name as string);
  return found;
}

function noEnvironment(name: string): UserError {
  return new UserError(`There is no topology.${name}.yaml beside topology.yaml. Write it, or leave --environment out.`);
}

function write(options: OutputOptions, folder: string, files: readonly RenderedFile[]): void {
  const written = writeRendering(folder, files);
  new Output(options).data(written, () =>
    written
      .map(({ path, state }) => `${join(folder, path)}${state === 'kept' ? ' (kept: it is yours)' : ''}`)
      .join('\n'),
  );
}
