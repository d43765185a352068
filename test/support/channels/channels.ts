import { z } from 'zod';
import type { AttemptContext, Channel } from '../../../bolts/channel';
import type { ChannelKinds, ChannelOptions } from '../../../connectors/channels/channel-kind';
import { channelKinds } from '../../../connectors/channels/channel-kinds';
import type { WebhookRequest } from '../../../connectors/channels/webhook/webhook-request';
import type { BoltSettings } from '../../../topology/settings/topology-settings';

/** Nobody sets secrets for them. */
const noCredentials = z.strictObject({});

/** Channels that only tests have. Their payloads are those of webhooks; only plain SQL schedules for them. */
export const testChannels: ChannelKinds = {
  /** A webhook under another name. */
  second: {
    name: 'second',
    class: 'idempotent',
    credentials: noCredentials,
    keepsEarlier: true,
    build: (settings, options) => webhookAs('second', settings, options),
  },

  /** Asks `GET /messages/<key>` of the origin that messages go to; 404 is a certain no. */
  ask: {
    name: 'ask',
    class: 'lookup',
    credentials: noCredentials,
    keepsEarlier: true,
    build: (settings, options) => {
      const webhook = webhookAs('ask', settings, options);
      return { ...webhook, class: 'lookup', lookup: lookupOf(webhook) };
    },
  },

  blind: {
    name: 'blind',
    class: 'blind',
    credentials: noCredentials,
    keepsEarlier: true,
    build: (settings, options) => ({ ...webhookAs('blind', settings, options), class: 'blind' }),
  },
};

function webhookAs(name: string, settings: BoltSettings, options: ChannelOptions): Channel {
  const webhook = channelKinds.webhook.build(settings, {
    ...options,
    secretsOf: (_, accounts) => options.secretsOf(name, accounts),
  });
  return {
    name,
    class: webhook.class,
    acceptedWithin: webhook.acceptedWithin,
    warm: (accounts) => webhook.warm(accounts),
    prepare: (account, payload) => webhook.prepare(account, payload),
    originOf: (prepared) => webhook.originOf(prepared),
    send: (prepared, attempt) => webhook.send(prepared, attempt),
    close: () => webhook.close(),
  };
}

function lookupOf(webhook: Channel): NonNullable<Channel['lookup']> {
  return async (prepared, { id, account, idempotencyKey, dueAt, inDoubt, now }) => {
    const path = `/messages/${idempotencyKey}`;
    const question: WebhookRequest = { ...(prepared as WebhookRequest), method: 'GET', path, body: Buffer.alloc(0) };
    const asked: AttemptContext = { id, account, idempotencyKey, dueAt, inDoubt, now, mayStart: () => true };
    const outcome = await webhook.send(question, asked);
    if (outcome === 'not_started') return { kind: 'unknown', reason: 'the question was not asked' };
    if (outcome.kind === 'delivered') {
      return { kind: 'accepted', ...(outcome.receipt === undefined ? {} : { receipt: outcome.receipt }) };
    }
    return outcome.status === 404 ? { kind: 'absent' } : { kind: 'unknown', reason: outcome.reason };
  };
}
