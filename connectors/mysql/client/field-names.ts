import { UserError } from '../../../topology/core/errors';

const OF_MESSAGE = ['account', 'channel', 'payload', 'dueAt', 'dedupeKey', 'localTime', 'zone', 'sendWithin', 'onLate'];
const OF_EDIT = [
  'id',
  'account',
  'dedupeKey',
  'dueAt',
  'payload',
  'version',
  'localTime',
  'zone',
  'sendWithin',
  'onLate',
];

/** @throws UserError naming a field that is spelled as another way in has it: `dedupe_key`, which would count for nothing */
export function checkNamesOfMessage(message: object): void {
  checkNames(message, OF_MESSAGE);
}

/** @throws UserError likewise */
export function checkNamesOfEdit(edit: object): void {
  checkNames(edit, OF_EDIT);
}

/** Other fields may be there, because applications hand on objects of their own, and so may any that is null: it is not given. */
function checkNames(given: object, known: readonly string[]): void {
  for (const [name, value] of Object.entries(given)) {
    if (value === null || value === undefined || known.includes(name)) continue;
    const meant = known.find((one) => bare(one) === bare(name));
    if (meant !== undefined) throw new UserError(`${name}: the field is called ${meant}`);
  }
}

function bare(name: string): string {
  return name.replace(/[_-]/g, '').toLowerCase();
}
