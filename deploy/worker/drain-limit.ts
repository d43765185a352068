import { UNSURE_MS } from '../../bolts/claim/held-rows';
import { channelKinds, kindOf } from '../../connectors/channels/channel-kinds';
import { STATEMENT_TIMEOUT_MS } from '../../connectors/mysql/sql/pool';
import { MAX_REFRESH_MS } from '../../topology/message';
import type { TopologySettings } from '../../topology/settings/topology-settings';

/** Ending in good order takes as long as the longest request, and this for the write-back, the groups and the registry. */
const AFTER_REQUESTS_MS = 2_000;
/** How long closing connections may take after that. */
export const CLOSE_LIMIT_MS = 2_000;
/**
 * The answer to a claim that was under way may be given up late. From then on the claim is waited for until it can take effect no more,
 * and is looked for within a second.
 */
const UNSURE_LIMIT_MS = STATEMENT_TIMEOUT_MS + UNSURE_MS + 1_000;
/** A spout alone has no requests. */
const SPOUT_DRAIN_LIMIT_MS = 10_000;

/** Between the longest end in good order and SIGKILL, seconds. */
const GRACE_MARGIN_SECONDS = 5;

/** How long an engine must wait between SIGTERM and SIGKILL: longer than draining and closing take. */
export function graceSeconds(components: readonly string[], settings: TopologySettings): number {
  return Math.ceil((drainLimitMs(components, settings) + CLOSE_LIMIT_MS) / 1_000) + GRACE_MARGIN_SECONDS;
}

/**
 * The limit follows the longest time-out of the bolts that run here, because a request that was begun is waited for, and how far
 * ahead of its instant they claim, because what was claimed is begun. What comes before a request, such as images, may take many times
 * as long: the bolt gives such a message back when it may begin nothing more. A refresh of credentials that was begun is waited for too,
 * because its answer may be the only tokens that the account has.
 */
export function drainLimitMs(components: readonly string[], { bolts }: TopologySettings): number {
  const own = components.flatMap((component) => {
    const bolt = bolts[component];
    if (bolt === undefined) return [];
    return [Math.max(bolt.claimAheadMaxMs + bolt.timeoutMs, refreshMs(component), UNSURE_LIMIT_MS)];
  });
  return Math.max(SPOUT_DRAIN_LIMIT_MS, ...own.map((requestsMs) => requestsMs + AFTER_REQUESTS_MS));
}

/** Of a package it is not known here whether it refreshes. */
function refreshMs(channel: string): number {
  const kind = kindOf(channel, channelKinds);
  return kind === undefined ? MAX_REFRESH_MS : (kind.refreshMs ?? 0);
}
