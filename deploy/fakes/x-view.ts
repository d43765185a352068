import { extractUrlsWithIndices } from 'twitter-text';

/** A post, as the fake keeps it. */
export interface FakeXPost {
  readonly id: string;
  readonly userId: string;
  /** As it was given, composed and trimmed. */
  readonly text: string;
  readonly replyTo: string | undefined;
  readonly replySettings: string | undefined;
  readonly images: readonly { readonly key: string; readonly bytes: number; readonly alt: string | null }[];
  /** Epoch milliseconds. */
  readonly at: number;
}

/** Posts as X shows them. */
export class FakeXView {
  /** Links as they were written, in their order: the number of each is in X's own. */
  private readonly links: string[] = [];

  /** @param others posts of others, and the names of who wrote them */
  constructor(private readonly others: Readonly<Record<string, string>>) {}

  /** A post with all that may be asked for of it. */
  of({ id: postId, text, replyTo, images, at }: FakeXPost): Record<string, unknown> {
    const urls: object[] = [];
    const shortened = (written: string, more: object = {}) => {
      const url = this.shortened(written);
      urls.push({ start: 0, end: 0, url, expanded_url: written, display_url: `${written.slice(8, 30)}…`, ...more });
      return url;
    };
    let shown = '';
    let from = 0;
    for (const { url, indices } of extractUrlsWithIndices(text)) {
      const whole = /^https?:/i.test(url) ? url : `http://${url}`;
      shown += text.slice(from, indices[0]) + shortened(whole);
      from = indices[1];
    }
    shown += text.slice(from);
    const escaped = shown.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
    const place = `https://x.com/i/status/${postId}/photo/1`;
    const picture = images.map(({ key }) => shortened(place, { media_key: key }))[0];
    const answered = replyTo === undefined ? undefined : this.others[replyTo];
    return {
      id: postId,
      text: [answered && `@${answered}`, escaped, picture].filter((part) => part !== undefined).join(' '),
      created_at: new Date(Math.floor(at / 1_000) * 1_000).toISOString(),
      ...(urls.length > 0 && { entities: { urls } }),
      ...(images.length > 0 && { attachments: { media_keys: images.map(({ key }) => key) } }),
      ...(replyTo !== undefined && { referenced_tweets: [{ type: 'replied_to', id: replyTo }] }),
    };
  }

  private shortened(written: string): string {
    const known = this.links.indexOf(written);
    const number = known >= 0 ? known : this.links.push(written) - 1;
    return `https://t.co/fake${String(number).padStart(6, '0')}`;
  }
}
