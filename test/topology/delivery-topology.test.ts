import type { Channel } from '../../bolts/channel';
import { changeEventCodec } from '../../connectors/debezium/change-event';
import { type DeliveryOptions, deliveryTopology } from '../../topology/delivery-topology';
import { parseTopologySettings } from '../../topology/settings/topology-settings';

function topologyOf(channels: readonly string[], components = '{ webhook: {} }') {
  const built = channels.map((name) => [name, { name, class: 'idempotent', acceptedWithin: 1 } as Channel] as const);
  return deliveryTopology({
    settings: parseTopologySettings(`components: ${components}`, 'test'),
    channels: new Map(built),
    changes: changeEventCodec,
  } as unknown as DeliveryOptions);
}

describe('the delivery topology', () => {
  it('has the spout, and a bolt for each channel, grouped by account', () => {
    const { spouts, bolts, connections } = topologyOf(['webhook']);
    expect(spouts.map(({ name, feed }) => [name, feed.name])).toEqual([['due', 'schedule-changes']]);
    expect(bolts.map(({ name, reads }) => [name, reads.name])).toEqual([['webhook', 'due.webhook']]);
    expect(
      connections.map(({ stream, grouping, spout, bolts: readers }) => [stream.name, grouping.name, spout, readers]),
    ).toEqual([['due.webhook', 'fields(account)', 'due', ['webhook']]]);
  });

  it('says what is wrong with a topology.yaml without channels', () => {
    expect(() => topologyOf([], '{}')).toThrow('spout "due" emits nothing: give the topology at least one bolt');
  });
});
