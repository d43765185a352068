/** How long a provider is given to work on an image before each question, milliseconds. */
export const PATIENCE_MS: readonly number[] = [500, 1_000, 2_000, 4_000, 5_000, 5_000, 5_000, 5_000];
/** Afterwards the message waits for so long. */
export const LATER_MS = 60_000;
