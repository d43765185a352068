import { z } from 'zod';
import { isImage, isVideo, partsOf } from './fake-form';
import { jsonOf } from './fake-provider';

/** An image or a video of a message, as the fake keeps it. */
export interface FakeAttachment {
  readonly filename: string;
  readonly type: string;
  readonly bytes: number;
  readonly description: string | null;
}

const MIB = 1024 ** 2;
const messageSchema = z.strictObject({
  content: z.string(),
  nonce: z.string().max(25).optional(),
  enforce_nonce: z.boolean().optional(),
  allowed_mentions: z
    .strictObject({ parse: z.array(z.enum(['users', 'roles', 'everyone'])), replied_user: z.boolean().optional() })
    .optional(),
  message_reference: z.strictObject({ message_id: z.string(), fail_if_not_exists: z.boolean().optional() }).optional(),
  flags: z.int().optional(),
  attachments: z
    .array(z.strictObject({ id: z.int(), filename: z.string(), description: z.string().max(1_024).optional() }))
    .max(10)
    .optional(),
});

/** What a request says. */
export interface MessageBody {
  readonly message: z.infer<typeof messageSchema>;
  readonly attachments: readonly FakeAttachment[];
  readonly isTooLarge: boolean;
}

/** A message in JSON, or in a form with its files. */
export function messageIn(type: string | undefined, body: Buffer): MessageBody | { readonly wrong: string } {
  const isJson = type === 'application/json';
  const [payload, ...files] = isJson ? [] : (partsOf(type, body) ?? []);
  if (!isJson && (payload?.name !== 'payload_json' || payload.type !== 'application/json')) {
    return { wrong: 'expected application/json, or multipart/form-data that begins with payload_json' };
  }
  const parsed = messageSchema.safeParse(jsonOf(payload?.body ?? body));
  if (!parsed.success) return { wrong: z.prettifyError(parsed.error) };
  const { attachments: said = [] } = parsed.data;
  if (said.length !== files.length) return { wrong: 'expected an attachment for each file' };
  const attachments: FakeAttachment[] = [];
  for (const [index, file] of files.entries()) {
    const about = said.find(({ id }) => `files[${id}]` === file.name);
    if (about === undefined || about.id !== index || about.filename !== file.filename) return { wrong: file.name };
    if (!isImage(file.type, file.body) && !isVideo(file.type, file.body))
      return { wrong: `${file.name} is not what it says` };
    const description = about.description ?? null;
    attachments.push({ filename: about.filename, type: file.type as string, bytes: file.body.length, description });
  }
  const isTooLarge = body.length > 25 * MIB || attachments.some(({ bytes }) => bytes > 10 * MIB);
  return { message: parsed.data, attachments, isTooLarge };
}
