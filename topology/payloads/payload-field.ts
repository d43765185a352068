import { z } from 'zod';

/** How a field of a payload is typed on a command line. */
export interface PayloadField {
  /** The field's name in the payload. */
  readonly name: string;
  /** The option without its dashes. */
  readonly option: string;
  /** What stands for the value in the help. */
  readonly placeholder: string;
  readonly description: string;
  /**
   * `text`: as it is. `entry`: one `name:value` of an object of texts; the option may be repeated.
   * `json`: parsed when it is JSON, a text otherwise.
   */
  readonly takes: 'text' | 'entry' | 'json';
  readonly required: boolean;
}

/** What the fields of each schema register: how a command line takes them. */
export const fields = z.registry<Omit<PayloadField, 'name' | 'required'>>();
