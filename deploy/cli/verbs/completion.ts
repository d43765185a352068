import { Argument, type Command } from 'commander';
import { UserError } from '../../../topology/core/errors';
import { readEnvironment } from '../../../topology/settings/environment';
import { topologyPath } from '../../../topology/settings/topology-file';
import { topologyOf } from '../../../topology/settings/topology-settings';
import { SPOUT } from '../../../topology/streams';
import { Output, type OutputOptions } from '../../console/output';
import { environmentsBeside } from '../../targets/topologies';
import { completedVerbs, type Names, scripts } from '../completion';
import { verb } from '../verb';

/** `downspout completion`. @param wholeProgram makes the program with all of its verbs */
export function completionCommand(wholeProgram: () => Command): Command {
  return verb('completion', 'print what makes a shell complete verbs, options and their values', {
    example: 'downspout completion bash',
  })
    .addArgument(new Argument('<shell>').choices(Object.keys(scripts)))
    .addHelpText(
      'after',
      '\nbash: source <(downspout completion bash)\nzsh:  source <(downspout completion zsh)    (after compinit)\n' +
        'fish: downspout completion fish | source\n' +
        'Put that line into the start file of your shell. Components and environments are those of topology.yaml at that moment.',
    )
    .action((shell: string, options: OutputOptions) => {
      const script = scripts[shell]?.(completedVerbs(wholeProgram(), namesOf()));
      new Output(options).out.write(script ?? '');
    });
}

/** A topology.yaml that is not there, or that is wrong, is no reason to complete nothing. */
function namesOf(): Names {
  try {
    const environment = readEnvironment();
    const environments = environmentsBeside(environment.DOWNSPOUT_TOPOLOGY ?? topologyPath());
    const channels = Object.keys(topologyOf(environment).bolts);
    return { channels, components: [SPOUT, ...channels], environments };
  } catch (error) {
    if (error instanceof UserError) return { channels: [], components: [], environments: [] };
    throw error;
  }
}
