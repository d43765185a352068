import { Option } from 'commander';
import type { ScheduleAnswer } from '../../../../connectors/mysql/client/client';
import { formatInstant } from '../../../console/units';

/** `--on-existing`, as `schedule` and `import` have it. */
export function onExistingOption(): Option {
  return new Option(
    '--on-existing <what>',
    'what to do with a message that has the dedupe key: keep it, or plan it again',
  )
    .choices(['keep', 'replace'])
    .default('keep');
}

/** Why a message was neither scheduled nor there already; undefined when it was. */
export function refusalOf(answer: ScheduleAnswer): string | undefined {
  switch (answer.result) {
    case 'conflict':
      return `message ${answer.id} (${answer.state}) has this dedupe key already, with other content or another time`;
    case 'too_late':
      return `message ${answer.id} is not replaced: ${answer.worker} has been sending it since ${formatInstant(answer.claimedAt)}`;
    case 'in_doubt':
      return `message ${answer.id} is not replaced: an earlier attempt may have been accepted`;
    default:
      return undefined;
  }
}

/** What became of a message that was not refused. */
export function textOf(answer: ScheduleAnswer): string {
  if (answer.result === 'already') {
    const again =
      answer.state === 'delivered' ? '--on-existing replace and another due time plan' : '--on-existing replace plans';
    return `Message ${answer.id} was scheduled before, with the same content, and is ${answer.state}. Nothing is sent; ${again} it again.`;
  }
  if (answer.result === 'replaced') return `Message ${answer.id} is planned again.`;
  return answer.result === 'scheduled' && answer.created
    ? `Message ${answer.id} is scheduled.`
    : `Message ${answer.id} was scheduled before, with the same content.`;
}
