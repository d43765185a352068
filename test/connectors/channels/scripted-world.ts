import type { Channel } from '../../../bolts/channel';
import { systemClock } from '../../../topology/core/clock';
import type { Outcome } from '../../../topology/message';
import { ScriptedChannel } from '../../support/channels/scripted-channel';
import type { Behaviour, ChannelWorld } from './channel-battery';

const CREDENTIAL = 'credential-of-the-payload';

const outcomes: Readonly<Record<Behaviour, Outcome>> = {
  takes: { kind: 'delivered' },
  refuses: { kind: 'rejected', reason: 'refused' },
  'is busy': { kind: 'retry', reason: 'busy' },
  drops: { kind: 'unknown', reason: 'dropped' },
  hangs: { kind: 'unknown', reason: 'no answer' },
  babbles: { kind: 'unknown', reason: 'no usable answer' },
  away: { kind: 'retry', reason: 'no connection' },
  quotes: { kind: 'rejected', reason: 'you said …' },
};

/** The channel of the bolt's tests; its provider is a script. */
export class ScriptedWorld implements ChannelWorld {
  channel: Channel;
  private readonly scripted = new ScriptedChannel(systemClock);
  readonly account = 'shop';
  readonly secrets = [CREDENTIAL];
  readonly bad = [
    ['{"body":1}', 'payload.url'],
    ['{"url":1}', 'payload.url'],
  ] as const;

  constructor() {
    this.channel = this.scripted as Channel;
    this.scripted.latency = 0;
    this.scripted.byHost = (host) => {
      const behaviour = new URL(host).hostname.replace('-', ' ').replace('.test', '') as Behaviour;
      return { outcome: outcomes[behaviour], isUnwritten: behaviour === 'away' };
    };
  }

  payload(behaviour: Behaviour): string {
    return JSON.stringify({ url: `http://${behaviour.replace(' ', '-')}.test`, body: CREDENTIAL });
  }

  written(): readonly string[] {
    return this.scripted.journal.map(({ key }) => key);
  }

  onWrite(listener: () => void): void {
    this.scripted.onBegun = listener;
  }

  close(): Promise<void> {
    return this.channel.close();
  }
}
