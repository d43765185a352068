import { z } from 'zod';
import { isImage, isVideo } from './fake-form';
import type { FakeAnswer, FakeRequest } from './fake-provider';

/** A file, as the fake keeps it. */
export interface FakeSlackFile {
  readonly id: string;
  readonly app: string;
  readonly name: string;
  readonly bytes: number;
  readonly alt: string | undefined;
  /** What readers see in place of its name. */
  title: string;
  state: 'expected' | 'uploaded' | 'shared';
}

const placeSchema = z.strictObject({
  filename: z.string().min(1),
  length: z.string().regex(/^[1-9]\d*$/),
  alt_txt: z.string().max(1_000).optional(),
});
const UPLOAD = '/upload/v1/';
const filesSchema = z
  .array(z.strictObject({ id: z.string(), title: z.string().optional() }))
  .min(1)
  .max(10);

/** A message of files, with a text before them. */
export const completionSchema = z.strictObject({
  files: filesSchema,
  channel_id: z.string(),
  initial_comment: z.string(),
  thread_ts: z.string().optional(),
});

/** Files on their way into messages: a place is asked for, the bytes are sent there, and a message is made of them. */
export class FakeSlackFiles {
  private readonly kept: FakeSlackFile[] = [];

  uploads({ method, path }: FakeRequest): boolean {
    return method === 'POST' && path.startsWith(UPLOAD);
  }

  /** The answer to `files.getUploadURLExternal`. */
  place({ headers, body }: FakeRequest, app: string): FakeAnswer {
    const parsed = placeSchema.safeParse(Object.fromEntries(new URLSearchParams(body.toString())));
    if (!parsed.success) return refusal('invalid_arguments', z.prettifyError(parsed.error));
    const { filename: name, length, alt_txt: alt } = parsed.data;
    const id = `F0000${String(this.kept.length).padStart(5, '0')}`;
    this.kept.push({ id, app, name, bytes: Number(length), alt, title: name, state: 'expected' });
    return ok({ upload_url: `http://${headers.host}${UPLOAD}${id}`, file_id: id });
  }

  /** What the place for the bytes answers. It wants no token, and a token must not go there. */
  take({ path, headers, body }: FakeRequest): FakeAnswer {
    const file = this.kept.find(({ id }) => path === UPLOAD + id);
    if (file === undefined) return { status: 404, json: 'strict: no such place' };
    if (headers.authorization !== undefined) return { status: 400, json: 'strict: expected no token' };
    if (body.length !== file.bytes) return { status: 400, json: 'strict: not as long as was said' };
    const type = headers['content-type'];
    if (!isImage(type, body) && !isVideo(type, body)) {
      return { status: 400, json: 'strict: not the type that is said' };
    }
    file.state = 'uploaded';
    return { status: 200, json: `OK - ${body.length}` };
  }

  /** Makes files part of a message. @returns the word for why not, else */
  share(wanted: z.infer<typeof filesSchema>, app: string): readonly FakeSlackFile[] | string {
    const files = wanted.map(({ id }) => this.kept.find((file) => file.id === id && file.app === app));
    const found = files.filter((file) => file !== undefined);
    if (found.length < wanted.length) return 'file_not_found';
    if (found.some(({ state }) => state !== 'uploaded')) return 'file_update_failed';
    for (const [index, file] of found.entries()) {
      file.state = 'shared';
      file.title = wanted[index]?.title ?? file.name;
    }
    return found;
  }
}

function ok(more: object): FakeAnswer {
  return { status: 200, json: { ok: true, ...more } };
}

function refusal(error: string, detail: string): FakeAnswer {
  return { status: 200, json: { ok: false, error, detail } };
}
