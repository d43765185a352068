import { topicName } from '../../topology/streams';

/** The consumer group of a component. */
export function groupName(namespace: string, component: string): string {
  return topicName(namespace, `downspout.${component}`);
}
