import { systemClock } from '../../../topology/core/clock';
import { MemoryLog } from '../../support/kafka/memory-log';
import { MemoryStreams } from '../../support/kafka/memory-streams';
import { streamsBattery } from '../../support/kafka/streams-battery';

describe('streams in memory', () => {
  streamsBattery(async () => {
    const log = new MemoryLog(systemClock);
    const first = new MemoryStreams(log);
    return {
      worker: async () => first.another(),
      createStream: async (name, partitions) => log.create(name, partitions),
      createStreamAgain: async (name, partitions) => log.create(name, partitions, false),
      committed: async (component, stream, partition) => log.committedOf(component, stream, partition),
      close: async () => undefined,
    };
  });
});
