import type { Message } from '../../connectors/mysql/client/client';
import type { Attempt } from '../../connectors/mysql/client/messages';
import type { Limited } from '../../connectors/mysql/operators/limited';
import type { Pause } from '../../connectors/mysql/operators/operations';
import type { WorkerStatus } from '../../connectors/mysql/operators/worker-status';
import type { AccountState } from '../../connectors/mysql/secrets/account-states';
import { formatDuration, formatInstant, formatRelative } from '../console/units';

/** One reason why a message is not sent at this moment, or one sentence about who is sending it. */
export interface Hold {
  readonly kind:
    | 'not_due'
    | 'waits_for_retry'
    | 'deactivated'
    | 'channel_paused'
    | 'account_paused'
    | 'channel_limited'
    | 'account_limited'
    | 'no_sender'
    | 'no_spout'
    | 'no_bolt'
    | 'overdue'
    | 'being_sent'
    | 'delivered'
    | 'sender_gone'
    | 'needs_person'
    | 'account_unusable'
    | 'account_resuming'
    | 'kept_back';
  readonly text: string;
}

/** What surrounds a message. Times are epoch milliseconds by the database's clock. */
export interface MessageSurroundings {
  readonly now: number;
  readonly pauses: readonly Pause[];
  /** Of the message's account and channel. */
  readonly limited: readonly Limited[];
  readonly workers: readonly WorkerStatus[];
  /** Of the message. */
  readonly attempts?: readonly Pick<Attempt, 'version' | 'session' | 'outcome' | 'finishedAt'>[];
  /** The channels that the topology has a bolt for. */
  readonly senders: readonly string[];
  /** Whose topology that is: `release 7`, or the topology file. */
  readonly topology: string;
  /** Of the message's account on its channel. */
  readonly account: AccountState;
}

/** Why the message is not sent at this moment: every reason, the first to end first. Empty once it has ended. */
export function whatHolds(message: Message, around: MessageSurroundings): Hold[] {
  switch (message.state) {
    case 'scheduled':
      return waitingOf(message, around);
    case 'sending':
      return [senderOf(message, around)];
    case 'failed':
      return [
        {
          kind: 'needs_person',
          text: `it failed and is not sent again by itself; \`downspout messages redrive ${message.id}\` sends it again.`,
        },
      ];
    case 'late':
      return [
        {
          kind: 'needs_person',
          text: `it was not sent in time, and a person decides: \`downspout messages resume ${message.id}\` sends it now, \`messages cancel\` takes it back.`,
        },
      ];
    case 'suspended':
      return [suspensionOf(message, around.account)];
    case 'uncertain':
      return [
        {
          kind: 'needs_person',
          text:
            'the provider may have accepted it. Ask there, then run ' +
            `\`downspout messages resolve ${message.id} --delivered\` or \`--retry\`.`,
        },
      ];
    default:
      return [];
  }
}

function suspensionOf({ id, account, channel, lastError }: Message, state: AccountState): Hold {
  const of = `${account} --channel ${channel}`;
  switch (state) {
    case 'unusable':
    case 'disabled': {
      const why = `account ${account} cannot be used on ${channel}: ${lastError ?? 'nobody says why'}`;
      const how = state === 'disabled' ? `accounts enable ${of}` : `accounts set ${of}`;
      const unless = `unless a person has kept it back: then \`downspout messages resume ${id}\` sends it afterwards`;
      return { kind: 'account_unusable', text: `${why}. It goes out after \`downspout ${how}\`, ${unless}.` };
    }
    case 'resuming': {
      const how = `else a person has kept it back, and \`downspout messages resume ${id}\` sends it`;
      return {
        kind: 'account_resuming',
        text: `account ${account} can be used again: it goes out in its turn; ${how}.`,
      };
    }
    default:
      return {
        kind: 'kept_back',
        text: `a person has kept it back; \`downspout messages resume ${id}\` sends it.`,
      };
  }
}

function waitingOf(message: Message, around: MessageSurroundings): Hold[] {
  const { now } = around;
  const { dueAt, wakeAt, attempts } = message;
  const wake = wakeAt ?? dueAt;
  const holds = obstacles(message, around);
  if (wake <= now) {
    const where = holds.length > 0 ? '' : ' Nothing holds it back: docs/operating.md says how to find where it is.';
    return [{ kind: 'overdue', text: `its time came ${formatRelative(wake, now)}.${where}` }, ...holds];
  }
  const when = `until ${formatInstant(wake)}, ${formatRelative(wake, now)}.`;
  const waits: Hold =
    wake === dueAt
      ? { kind: 'not_due', text: `it is not due ${when}` }
      : { kind: 'waits_for_retry', text: `after ${attempts} attempts it waits ${when}` };
  return [waits, ...holds];
}

/** What would keep the message from leaving even at its time. */
function obstacles({ channel, account }: Message, around: MessageSurroundings): Hold[] {
  const { pauses, limited, workers, senders, topology, now } = around;
  const running = new Set(workers.flatMap(({ state, components }) => (state === 'alive' ? components : [])));
  const holds: Hold[] = [];
  if (pauses.some((pause) => pause.channel === null)) {
    holds.push({ kind: 'deactivated', text: 'the whole topology is deactivated; `downspout activate` ends that.' });
  }
  const paused = pauses.filter((pause) => pause.channel === channel);
  if (paused.some((pause) => pause.account === null)) {
    holds.push({
      kind: 'channel_paused',
      text: `channel ${channel} is paused; \`downspout resume ${channel}\` ends that.`,
    });
  }
  if (paused.some((pause) => pause.account === account)) {
    holds.push({
      kind: 'account_paused',
      text: `account ${account} is paused on ${channel}; \`downspout resume ${channel} --account ${account}\` ends that.`,
    });
  }
  for (const { account: whose, untilAt, isHeld } of limited) {
    const kind = whose === null ? ('channel_limited' as const) : ('account_limited' as const);
    const who = whose === null ? `all accounts of ${channel} together have` : `account ${whose} has`;
    const until = `${formatInstant(untilAt)}, ${formatRelative(untilAt, now)}`;
    const command = `downspout resume ${channel}${whose === null ? '' : ` --account ${whose}`}`;
    const why = isHeld ? ` Its provider has said so; \`${command}\` asks it again before.` : '';
    holds.push({
      kind,
      text: `${who} sent as much as limits, or the provider, allow on ${channel}: its messages go on in their order at ${until}.${why}`,
    });
  }
  if (!senders.includes(channel)) {
    holds.push({ kind: 'no_sender', text: `channel ${channel} has no sender in ${topology}.` });
  } else if (!running.has(channel)) {
    holds.push({
      kind: 'no_bolt',
      text: `no worker that is alive runs its bolt; \`downspout worker --component ${channel}\` runs one.`,
    });
  }
  if (!running.has('due')) {
    holds.push({
      kind: 'no_spout',
      text: 'no worker that is alive runs the spout; `downspout worker --component due` runs one.',
    });
  }
  return holds;
}

function senderOf(
  { session, updatedAt, version }: Message,
  { workers, now, attempts = [] }: MessageSurroundings,
): Hold {
  const worker = workers.find((one) => one.session === session);
  const delivered = attempts.find(
    (one) => one.session === session && one.version === version && one.outcome === 'delivered',
  );
  if (delivered !== undefined) {
    const who = worker?.state === 'alive' ? `worker ${worker.host}/${worker.pid}` : 'a spout';
    const at = formatInstant(delivered.finishedAt);
    return {
      kind: 'delivered',
      text: `it was delivered at ${at}; ${who} writes that to the message when a crowd is over.`,
    };
  }
  const claimed = `since ${formatInstant(updatedAt)}, for ${formatDuration(now - updatedAt)}`;
  if (worker?.state === 'alive') {
    return { kind: 'being_sent', text: `worker ${worker.host}/${worker.pid} is sending it ${claimed}.` };
  }
  const who = worker === undefined ? 'the worker that claimed it' : `worker ${worker.host}/${worker.pid}`;
  return {
    kind: 'sender_gone',
    text: `${who} no longer holds its lease; a spout schedules the message again within seconds, in doubt. Claimed ${claimed}.`,
  };
}
