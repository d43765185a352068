import { UserError } from '../../topology/core/errors';

/** The command line is wrong, and nothing was tried: the exit code is 2. */
export class UsageError extends UserError {}
