import type { LimitedCount } from '../../connectors/mysql/operators/limited';
import type { Pause } from '../../connectors/mysql/operators/operations';
import { SPOUT } from '../../topology/streams';
import { counted, formatInstant } from '../console/units';
import type { DatabaseReport } from './database-report';

/**
 * What stands in the way of messages, or waits for a person, as the rows of the database say it.
 * @param senders the channels that the topology has a bolt for
 */
export function deliveryWarnings(report: DatabaseReport, senders: readonly string[]): string[] {
  const alive = report.workers.filter((worker) => worker.state === 'alive');
  const running = new Set(alive.flatMap((worker) => worker.components));
  const of = (state: string) => report.counts.filter((one) => one.state === state && one.count > 0);
  const waiting = report.waiting.filter(({ open }) => open > 0);
  const somethingWaits = waiting.some(({ channel }) => senders.includes(channel));
  return [
    ...report.pauses
      .filter(({ channel }) => channel === null)
      .map(
        (pause) =>
          `DEACTIVATED since ${formatInstant(pause.pausedAt)}${byText(pause)}${untilText(pause)}: no message is sent on any channel. \`downspout activate\` ends that.`,
      ),
    ...waiting
      .filter(({ channel }) => !senders.includes(channel))
      .map(
        ({ channel, open }) =>
          `${counted(open, 'message waits', 'messages wait')} on channel ${channel}, which has no sender in ${report.deployment.topology}.`,
      ),
    ...(somethingWaits && !running.has(SPOUT) ? [`Messages wait and no worker runs the spout \`${SPOUT}\`.`] : []),
    ...waiting
      .filter(({ channel }) => senders.includes(channel) && !running.has(channel))
      .map(
        ({ channel, open }) =>
          `${counted(open, 'message waits', 'messages wait')} on channel ${channel} and no worker runs its bolt.`,
      ),
    ...of('uncertain').map(
      ({ channel, count }) =>
        `${counted(count, 'message')} of ${channel} ${count === 1 ? 'is' : 'are'} uncertain: a person decides (downspout messages resolve).`,
    ),
    ...of('failed').map(
      ({ channel, count }) =>
        `${counted(count, 'message')} of ${channel} ${count === 1 ? 'has' : 'have'} failed (downspout messages list --state failed, messages redrive).`,
    ),
    ...of('skipped').map(
      ({ channel, count }) =>
        `${counted(count, 'message')} of ${channel} ${count === 1 ? 'was' : 'were'} skipped, not sent in time (downspout messages list --state failed --late, messages redrive --late).`,
    ),
    ...of('late').map(
      ({ channel, count }) =>
        `${counted(count, 'message')} of ${channel} ${count === 1 ? 'was' : 'were'} not sent in time: a person decides (downspout messages list --state late, messages resume --late).`,
    ),
    ...of('suspended').map(
      ({ channel, count }) =>
        `${counted(count, 'message')} of ${channel} ${count === 1 ? 'is' : 'are'} suspended, because their accounts cannot be used, or kept back by a person (downspout accounts list; messages resume sends what was kept).`,
    ),
    ...report.pauses
      .filter((pause) => pause.channel !== null)
      .map(
        (pause) =>
          `Paused: ${pause.channel}${pause.account === null ? '' : `, account ${pause.account}`}${byText(pause)}${untilText(pause)}.`,
      ),
    ...report.limited.map(limitedText),
    ...report.workers
      .filter((worker) => worker.state === 'late')
      .map(
        (worker) =>
          `The lease of worker ${worker.host}/${worker.pid} has run out; what it was sending is recovered soon.`,
      ),
  ];
}

function limitedText({ channel, accounts, firstAt, lastAt, allUntilAt }: LimitedCount): string {
  if (allUntilAt !== null) {
    return `Channel ${channel} has sent as much as its limits, or its provider, allow all accounts together: it goes on at ${formatInstant(allUntilAt)}.`;
  }
  const when =
    accounts === 1 ? formatInstant(lastAt) : `${formatInstant(firstAt)}, the last at ${formatInstant(lastAt)}`;
  const who = accounts === 1 ? 'One account' : counted(accounts, 'account');
  return `${who} of ${channel} ${accounts === 1 ? 'has' : 'have'} sent as much as limits, or the provider, allow: ${accounts === 1 ? 'it goes' : 'the first goes'} on at ${when}.`;
}

function byText({ command }: Pause): string {
  return command === null ? '' : `, by \`downspout ${command}\``;
}

function untilText({ untilAt }: Pause): string {
  return untilAt === null ? '' : `, until ${formatInstant(untilAt)}`;
}
