import { z } from 'zod';
import { parseMailbox } from '../../../topology/payloads/mailbox';
import { hostProblem } from '../../../topology/payloads/web-url';
import { credentialFields } from '../credentials';

/** What SMTP takes as a name or a password: a NUL would begin another field. */
const word = z
  .string()
  .min(1)
  .max(1024)
  .regex(/^\P{Cc}*$/u, 'expected no control characters');

/** What an account needs. */
export const emailCredentials = z
  .strictObject({
    host: z
      .string()
      .max(255)
      .refine(isHost, 'expected the name or the address of an SMTP server, such as smtp.example.com')
      .register(credentialFields, { prompt: 'SMTP server, such as smtp.example.com', isSecret: false }),
    port: z
      .string()
      .regex(/^[1-9]\d{0,4}$/, 'expected a port')
      .refine((port) => Number(port) < 65_536, 'expected a port')
      .optional()
      .register(credentialFields, { prompt: 'Port, or nothing for 465 (tls) or 587', isSecret: false }),
    security: z
      .enum(['tls', 'starttls', 'plain'])
      .register(credentialFields, { prompt: 'Encryption: tls, starttls or plain', isSecret: false }),
    user: word.optional().register(credentialFields, { prompt: 'User, or nothing', isSecret: false }),
    password: word.optional().register(credentialFields, { prompt: 'Password, or nothing', isSecret: true }),
    from: z
      .string()
      .check(({ value, issues }) => {
        const parsed = parseMailbox(value);
        if (typeof parsed === 'string') issues.push({ code: 'custom', message: parsed, input: value });
      })
      .register(credentialFields, { prompt: 'Sender, such as Ann <ann@example.com>', isSecret: false }),
  })
  .refine(({ user, password }) => (user === undefined) === (password === undefined), {
    path: ['password'],
    message: 'expected a user and a password, or neither',
  });

export type EmailCredentials = z.infer<typeof emailCredentials>;

/** The server, as a URL has it: numbers in odd notations are addresses there. */
export function hostOf({ host }: Pick<EmailCredentials, 'host'>): string {
  return new URL(`http://${host}`).hostname;
}

export function portOf({ port, security }: Pick<EmailCredentials, 'port' | 'security'>): number {
  return Number(port ?? (security === 'tls' ? 465 : 587));
}

export function originOf(credentials: EmailCredentials): string {
  const scheme = credentials.security === 'tls' ? 'smtps' : 'smtp';
  return `${scheme}://${hostOf(credentials)}:${portOf(credentials)}`;
}

function isHost(text: string): boolean {
  const url = `http://${text}`;
  if (!/^[\p{L}\p{M}\p{N}.-]+$|^\[[0-9a-f:.]+\]$/iu.test(text) || !URL.canParse(url)) return false;
  const parsed = new URL(url);
  return parsed.pathname === '/' && hostProblem(parsed) === undefined;
}
