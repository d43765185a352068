import type { Command } from 'commander';
import { verbGroup } from '../verb';
import { cancelCommand } from './messages/cancel';
import { editCommand } from './messages/edit';
import { importCommand } from './messages/import';
import { listCommand } from './messages/list';
import { outcomesCommand } from './messages/outcomes';
import { purgeCommand } from './messages/purge';
import { redriveCommand } from './messages/redrive';
import { resolveCommand } from './messages/resolve';
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
    .addCommand(outcomesCommand())
    .addCommand(purgeCommand());
}
