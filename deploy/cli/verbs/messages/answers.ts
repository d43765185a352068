import type { CancelAnswer, EditAnswer } from '../../../../connectors/mysql/client/client';
import { formatInstant } from '../../../console/units';

/** What became of an edit or a cancel, in words that follow the message's name. */
export function answerText(answer: CancelAnswer | EditAnswer, verb: 'edit' | 'cancel'): string {
  switch (answer.result) {
    case 'canceled':
      return 'is canceled.';
    case 'edited':
      return `is edited; its plan has version ${answer.version} now.`;
    case 'changed':
      return `was not edited: its plan has version ${answer.version} by now. Look at it again (\`downspout messages show\`).`;
    case 'too_late':
      return `is being sent: too late. ${answer.worker} claimed it at ${formatInstant(answer.claimedAt)}.`;
    case 'in_doubt':
      return verb === 'edit'
        ? 'was not edited: an earlier attempt may have been accepted.'
        : 'may have been accepted by an earlier attempt: it is uncertain now, and nothing more is sent.';
    case 'not_found':
      return 'does not exist.';
    default:
      return answer.state === 'canceled' ? 'was canceled before.' : `has ended already: ${answer.state}.`;
  }
}
