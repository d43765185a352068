import type { z } from 'zod';
import { type Clock, systemClock } from '../../../topology/core/clock';
import { MAX_REFRESH_MS } from '../../../topology/message';
import type { ObjectSchema } from '../../../topology/payloads/object-schema';
import { fields } from '../../../topology/payloads/payload-field';
import type { ChannelName } from '../../../topology/payloads/payloads';
import type { ChannelKind } from '../channel-kind';
import { credentialFields, distrustTexts } from '../credentials';
import { providerKind } from '../provider/provider-channel';
import type { ChannelDefinition } from './definition';
import { GuardedPackage } from './guarded';

/** How long a provider may take to say whose credentials are: `downspout accounts test` asks with a shorter time-out. */
const ASK_TIMEOUT_MS = 15_000;

/** The kind of channel that a package offers. */
export function loadedKind(definition: ChannelDefinition): ChannelKind {
  describeAll(fields, definition.payload, definition.options ?? {});
  describeAll(credentialFields, definition.credentials, definition.prompts);
  distrustTexts(definition.credentials);
  const { whoAmI, ...kind } = kindFor(definition, systemClock, ASK_TIMEOUT_MS);
  return {
    ...kind,
    ...(definition.whoAmI === undefined || whoAmI === undefined ? {} : { whoAmI }),
    ...(definition.refresh === undefined ? {} : { refreshMs: MAX_REFRESH_MS }),
    build: (settings, options) => kindFor(definition, options.clock, settings.timeoutMs).build(settings, options),
  };
}

/** @param timeoutMs of one request */
function kindFor(definition: ChannelDefinition, clock: Clock, timeoutMs: number): ChannelKind {
  const { class: own, keyLifetimeMs, acceptedLateMs, media, payload, credentials } = definition;
  const { originOf, send, lookup, refresh, whoAmI } = new GuardedPackage(definition, clock, timeoutMs);
  return providerKind({
    // Its payload has a schema of its own.
    name: definition.name as ChannelName,
    payload,
    class: own,
    ...(keyLifetimeMs === undefined ? {} : { keyLifetimeMs }),
    acceptedLateMs,
    ...(media === undefined ? {} : { media }),
    credentials: credentials as unknown as z.ZodObject,
    originOf,
    prepare: (checked) => checked,
    send,
    ...(definition.lookup === undefined ? {} : { lookup }),
    ...(refresh === undefined ? {} : { refresh }),
    whoAmI,
  });
}

/** Writes down what is known of the fields of a schema. */
function describeAll<Meta extends object>(
  registry: z.core.$ZodRegistry<Meta>,
  { shape }: ObjectSchema,
  known: Readonly<Record<string, Meta | undefined>>,
): void {
  for (const [name, meta] of Object.entries(known)) {
    if (meta !== undefined) registry.add(shape[name] as never, meta as never);
  }
}
