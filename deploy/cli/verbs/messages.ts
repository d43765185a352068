import type { Command } from 'commander';
import { UserError } from '../../../topology/core/errors';
import { knownChannels } from '../../worker/known-channels';
import { readSettings } from '../settings';
import { verbGroup } from '../verb';
import { cancelCommand } from './messages/cancel';
import { withFieldOptions } from './messages/content-options';
import { editCommand } from './messages/edit';
import { importCommand } from './messages/import';
import { listCommand } from './messages/list';
import { outcomesCommand } from './messages/outcomes';
import { purgeCommand } from './messages/purge';
import { redriveCommand } from './messages/redrive';
import { resolveCommand } from './messages/resolve';
import { resumeCommand } from './messages/resume';
import { scheduleCommand } from './messages/schedule';
import { showCommand } from './messages/show';

/** `downspout messages …`. */
export function messagesCommand(): Command {
  return verbGroup('messages', 'schedule, look at and change messages', {
    example: 'downspout messages list --state failed',
  })
    .addCommand(scheduleCommand())
    .addCommand(importCommand())
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(editCommand())
    .addCommand(cancelCommand())
    .addCommand(resolveCommand())
    .addCommand(redriveCommand())
    .addCommand(resumeCommand())
    .addCommand(outcomesCommand())
    .addCommand(purgeCommand())
    .hook('preSubcommand', (_, command) => {
      if (['schedule', 'edit'].includes(command.name())) withFieldsOfPackages(command);
    });
}

/** Adds the options of the channels that topology.yaml names. What is wrong there, the verb says when it runs. */
function withFieldsOfPackages(command: Command): void {
  try {
    withFieldOptions(command, knownChannels(readSettings().environment).schemas);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
  }
}
