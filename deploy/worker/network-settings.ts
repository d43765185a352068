import type { NetworkSettings } from '../../connectors/channels/http/network';
import type { Environment } from '../../topology/settings/environment';

/** How requests leave this machine, as the environment says. */
export function networkOf(environment: Environment): NetworkSettings {
  return {
    allowPrivateAddresses: environment.WEBHOOK_ALLOW_PRIVATE_ADDRESSES,
    allowNetworks: environment.WEBHOOK_ALLOW_NETWORKS,
    denyNetworks: environment.WEBHOOK_DENY_NETWORKS,
    allowPlainMail: environment.EMAIL_ALLOW_PLAIN,
    resolver: environment.DOWNSPOUT_RESOLVER,
    proxy: { https: environment.HTTPS_PROXY, http: environment.HTTP_PROXY, no: environment.NO_PROXY },
  };
}
