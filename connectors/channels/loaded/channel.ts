/**
 * What somebody needs who writes a channel: `import type { ChannelDefinition } from 'downspout/channel'`. docs/writing-a-channel.md
 * shows one. What is not exported here may change at any time.
 */
export type { LookupAnswer } from '../../../bolts/channel';
export type { ChannelClass, Outcome } from '../../../topology/message';
export type { ObjectSchema, OutputOf } from '../../../topology/payloads/object-schema';
export type { WhoAmI } from '../channel-kind';
export type { CredentialField } from '../credentials';
export type { Reply } from '../http/reply';
export type { MediaLimits } from '../media/media-fetch';
export type { MediaFile } from '../media/media-file';
export type { Api, ApiEnd, ApiRequest } from '../provider/api';
export type { FormPart } from '../provider/multipart';
export type { Refreshed } from '../provider/refresh';
export type {
  ChannelDefinition,
  FieldOption,
  LookupTools,
  ProviderTools,
  RefreshDefinition,
  RefreshTools,
  SendTools,
} from './definition';
export { type Trial, type TrialOptions, type TriedMessage, tryChannel } from './trial';
