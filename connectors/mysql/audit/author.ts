import { hostname, userInfo } from 'node:os';
import { cut } from '../sql/cut';

/** Who changes something, and from where. */
export interface Author {
  readonly who: string;
  readonly host: string;
}

/** Of the columns. */
const MAX_CHARACTERS = 255;

/** This process. @param who in the name of whom; the user whom the operating system runs it as, unless given */
export function thisAuthor(who?: string): Author {
  return { who: cut(who ?? userOfSystem(), MAX_CHARACTERS), host: cut(hostname(), MAX_CHARACTERS) };
}

/** A container may run as a number that no user has. */
function userOfSystem(): string {
  try {
    return userInfo().username;
  } catch {
    return `user ${process.getuid?.() ?? 'unknown'}`;
  }
}
