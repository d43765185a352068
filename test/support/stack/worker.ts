import { knownChannels } from '../../../deploy/worker/known-channels';
import { runWorker } from '../../../deploy/worker/main';
import { readEnvironment } from '../../../topology/settings/environment';
import { topologyOf } from '../../../topology/settings/topology-settings';
import { testChannels } from '../channels/channels';

/**
 * `downspout worker` with the channels of tests beside those that there are: `node worker.js due,second`. Settings come
 * from the environment alone.
 */
const environment = readEnvironment();
const known = knownChannels(environment);
void runWorker({
  components: (process.argv[2] ?? '').split(','),
  environment,
  settings: topologyOf(environment),
  status: { host: '127.0.0.1', port: 0 },
  pretty: false,
  channels: { ...known, kinds: { ...known.kinds, ...testChannels } },
});
