import { reasonOf } from '../../topology/core/errors';
import { percentDecoded } from '../../topology/settings/url-parts';
import { withoutPassword } from '../console/masked';

const ANSWER_LIMIT_MS = 3_000;

/** Asks a part that is a web page, as the user whom its URL names. Neither `detail` nor an error shows the password. */
export async function askPage(url: string): Promise<{ readonly ok: boolean; readonly detail: string }> {
  const shown = withoutPassword(url);
  try {
    const page = new URL(url);
    const { username, password } = page;
    // fetch refuses a URL that has them, and quotes it.
    page.username = page.password = '';
    const credentials = [username, password].map(percentDecoded).join(':');
    const headers =
      credentials === ':' ? {} : { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` };
    const signal = AbortSignal.timeout(ANSWER_LIMIT_MS);
    const response = await fetch(page, { signal, headers, redirect: 'manual' });
    await response.body?.cancel();
    return { ok: response.status < 500, detail: `${shown} answers ${response.status}` };
  } catch (error) {
    const cause = error instanceof Error ? (error.cause ?? error) : error;
    return { ok: false, detail: `${shown}: ${reasonOf(cause)}` };
  }
}
