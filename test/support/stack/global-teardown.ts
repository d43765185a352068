import { plantedIn } from './planted-secrets';
import { leaveStack, testStackFolder } from './shared-stack';

/** @throws when a secret of an account is where none may be: in logs, topics, tables, figures or what commands print */
export default async function leave(): Promise<void> {
  await leaveStack();
  const places = plantedIn(testStackFolder);
  if (places.length > 0) throw new Error(`secrets of accounts were found in\n${places.join('\n')}`);
}
