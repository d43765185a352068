import { z } from 'zod';
import { credentialFields } from '../credentials';

/** By which Meta counts what an app is allowed, where accounts are connected by several. */
export function appIdField() {
  return z
    .string()
    .regex(/^[1-9]\d{4,31}$/, 'expected the id of the app, which is a number')
    .optional()
    .register(credentialFields, { prompt: 'Id of the app, for its limits, or nothing', isSecret: false });
}
