import { join, resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { stringify } from 'yaml';
import { UserError } from '../../../topology/core/errors';
import { readEnvironment, readStackVariables } from '../../../topology/settings/environment';
import { packageRoot } from '../../../topology/settings/package';
import { Output, type OutputOptions } from '../../console/output';
import { alertGroups } from '../../monitoring/alert-rules';
import { composeFileOf, stackInDocker } from '../../stack/compose-project';
import { stackFolder } from '../../stack/stack-folder';
import { insideNames } from '../../targets/compose/inside-names';
import { renderCompose } from '../../targets/compose/render';
import { lackingSettings } from '../../targets/compose/settings-file';
import { type ClusterOperator, clusterOperators } from '../../targets/kubernetes/manifests';
import { renderKubernetes } from '../../targets/kubernetes/render';
import { type RenderedFile, writeRendering } from '../../targets/rendering';
import { renderSystemd } from '../../targets/systemd/render';
import { readTopologies } from '../../targets/topologies';
import { defaultImage } from '../engines';
import { namespaceOption } from '../namespace-option';
import { statusHostOption } from '../status-host-option';
import { environmentNamed, type TopologyFileOptions, topologyFileOf, withTopologyFile } from '../topology-options';
import { type ChangeOptions, changingVerb, dataVerb, verbGroup } from '../verb';

interface RenderOptions extends ChangeOptions, TopologyFileOptions {
  readonly image: string;
  readonly out: string;
}

interface KubernetesVerbOptions extends RenderOptions {
  readonly namespace?: string;
  readonly without?: readonly ClusterOperator[];
  readonly runbookUrl?: string;
}

interface SystemdVerbOptions extends ChangeOptions, TopologyFileOptions {
  readonly user: string;
  readonly settings: string;
  readonly statusHost?: string;
  readonly out?: string;
}

/** `downspout render kubernetes|compose|systemd|alerts`. */
export function renderCommand(): Command {
  return verbGroup('render', 'write what another engine runs the topology from', {
    example: 'downspout render kubernetes --image registry.example/downspout:1.2.3 --out kubernetes',
  })
    .addCommand(kubernetes())
    .addCommand(compose())
    .addCommand(systemd())
    .addCommand(alerts());
}

function kubernetes(): Command {
  return withTopology('kubernetes', 'write a Kustomize base of topology.yaml, and an overlay for each environment', {
    example: 'downspout render kubernetes --image registry.example/downspout:1.2.3 --out kubernetes',
  })
    .option('--image <image>', 'the image of the workers', defaultImage())
    .addOption(namespaceOption("the namespace of all objects (default: kubectl's own)"))
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
      const { base, overlays } = readTopologies(options.topology ?? readEnvironment().DOWNSPOUT_TOPOLOGY);
      const { environment: only } = options;
      if (only !== undefined && !overlays.has(only)) {
        throw new UserError(
          `There is no topology.${only}.yaml beside topology.yaml. Write it, or leave --environment out.`,
        );
      }
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
    .option('--image <image>', 'the image of the workers', defaultImage())
    .option('--out <folder>', 'where the files are written', 'compose')
    .addHelpText(
      'after',
      '\nRun it where docker-compose.yml is, with: docker compose -f docker-compose.yml -f compose/workers.yml up --detach\n' +
        'Beside a stack that `downspout up` has started in Docker, add: --env-file .downspout/compose.env\n' +
        'The services find workers.env and topology.yaml in the folder of --out; DOWNSPOUT_WORKERS names it when they were moved.',
    )
    .action((options: RenderOptions) => {
      const { image, out: folder } = options;
      const stack = stackInDocker(stackFolder(), readStackVariables());
      const environment = readEnvironment();
      const { specification, settings } = topologyFileOf(options, environment);
      const inside = insideNames(composeFileOf(stack), stack.variables);
      const files = renderCompose({ specification, settings, folder, image, environment, inside });
      const next = `docker compose -f docker-compose.yml -f ${join(folder, 'workers.yml')} up --detach`;
      write(options, folder, files, [`Run it with: ${next}`]);
      const lacking = options.dryRun === true ? null : lackingSettings(folder);
      if (lacking !== null) new Output(options).note(lacking);
    });
}

function systemd(): Command {
  return withTopology('systemd', 'print the systemd unit of the supervisor, or write it and units of the workers', {
    example: 'downspout render systemd > /etc/systemd/system/downspout-supervisor.service',
  })
    .addOption(new Option('--user <name>', 'the user that the units run as').argParser(parseUser).default('downspout'))
    .addOption(
      new Option('--settings <path>', 'the file of settings that the units read, by its whole path')
        .argParser(parsePath)
        .default('/etc/downspout/downspout.env'),
    )
    .addOption(statusHostOption())
    .option('--out <folder>', 'where all units are written; without it the one of the supervisor is printed')
    .action((options: SystemdVerbOptions) => {
      const program = [process.execPath, join(packageRoot(), 'dist', 'deploy', 'cli', 'downspout.js')];
      const environment = readEnvironment();
      const {
        settings,
        files: [topology = ''],
      } = topologyFileOf(options, environment);
      const files = renderSystemd({
        settings,
        topology: resolve(topology),
        environment: environmentNamed(options, environment),
        program,
        user: options.user,
        settingsFile: options.settings,
        statusHost: options.statusHost,
      });
      if (options.out !== undefined) return write(options, options.out, files);
      const [supervisor] = files as [RenderedFile];
      new Output(options).data(supervisor, () => supervisor.text.trimEnd());
    });
}

function parseUser(text: string): string {
  if (/^[A-Za-z_][A-Za-z0-9_-]{0,30}$/.test(text)) return text;
  throw new InvalidArgumentError('Expected the name of a user, such as downspout.');
}

/** systemd joins a line that ends in a backslash with the next one, and leaves out blanks at its end. */
function parsePath(text: string): string {
  if (/^-?\/[^\n\r]*(?<![\s\\])$/.test(text)) return text;
  throw new InvalidArgumentError(
    'Expected a whole path without a blank or backslash at its end; with - before it the file need not be there.',
  );
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
  return withTopologyFile(changingVerb(name, description, manners));
}

/** @param next what to do with it, for people */
function write(
  options: ChangeOptions,
  folder: string,
  files: readonly RenderedFile[],
  next: readonly string[] = [],
): void {
  const isRehearsal = options.dryRun === true;
  const written = writeRendering(folder, files, isRehearsal);
  new Output(options).data(written, () => {
    const lines = written.map(
      ({ path, state }) => `${join(folder, path)}${state === 'kept' ? ' (kept: it is yours)' : ''}`,
    );
    return isRehearsal ? ['These files would be written:', ...lines].join('\n') : [...lines, ...next].join('\n');
  });
}
