import { type Command, InvalidArgumentError } from 'commander';
import type { Environment } from '../../topology/settings/environment';
import { type ReadTopology, readTopologyFile } from '../../topology/settings/topology-settings';
import { findChannels } from '../worker/known-channels';

/** The options of a verb that reads a topology file. */
export interface TopologyFileOptions {
  readonly topology?: string;
  readonly environment?: string | undefined;
}

/** Adds them to the verb. */
export function withTopologyFile(command: Command): Command {
  return withEnvironment(
    command.option('--topology <file>', 'instead of DOWNSPOUT_TOPOLOGY or ./topology.yaml'),
    'production merges topology.production.yaml into it',
  );
}

/** Adds the name of the environment to a verb. */
export function withEnvironment(command: Command, description: string): Command {
  return command.option('--environment <name>', description, parseName);
}

/** Adds the word by which what runs may become that of another environment. */
export function withChangeOfEnvironment(command: Command): Command {
  return command.option(
    '--change-environment',
    'although the release that runs is of another environment: give it the settings of this one',
  );
}

/**
 * Reads what the options name, and what the environment names where they do not.
 * @throws UserError with a line for each fault, among them components without a channel and packages that cannot be loaded here
 */
export function topologyFileOf(options: TopologyFileOptions, environment: Environment): ReadTopology {
  const path = options.topology ?? environment.DOWNSPOUT_TOPOLOGY;
  return readTopologyFile({ path, environment: environmentNamed(options, environment), channels: findChannels });
}

/** What `--environment` names, or else DOWNSPOUT_ENVIRONMENT. */
export function environmentNamed(
  options: Pick<TopologyFileOptions, 'environment'>,
  environment: Environment,
): string | undefined {
  return options.environment ?? environment.DOWNSPOUT_ENVIRONMENT;
}

function parseName(text: string): string {
  if (!/^[a-z0-9-]{1,40}$/.test(text)) throw new InvalidArgumentError('Expected at most 40 of a-z 0-9 -.');
  return text;
}
