import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../../deploy/stack/host/ports';
import { fetchPds } from './fetched';
import type { PdsOrder } from './pds-process';
import { ServerProcess } from './server-process';

const ADMIN_PASSWORD = 'password-of-the-admin';
const POSTS = 'app.bsky.feed.post';
/** Of one answer of the server's. */
const MAX_RECORDS = 100;
/** Writes of one request, and what each costs of an account's 5,000 points. */
const MAX_WRITES = 200;
const CREATE_POINTS = 3;

/** Somebody on the server. */
export interface PdsUser {
  readonly did: string;
  readonly handle: string;
  /** Of the account itself, signed in with its own password. */
  readonly access: string;
  /** For what posts on its behalf. */
  readonly appPassword: string;
}

/** A post as the server keeps it. */
export interface PdsPost {
  readonly uri: string;
  readonly cid: string;
  readonly value: {
    readonly text: string;
    readonly createdAt: string;
    readonly facets?: readonly {
      readonly index: { readonly byteStart: number; readonly byteEnd: number };
      readonly features: readonly Readonly<Record<string, string>>[];
    }[];
    readonly [field: string]: unknown;
  };
}

interface PdsAnswer {
  readonly status: number;
  readonly json: Readonly<Record<string, unknown>>;
}

/** Bluesky's own server of posts, `@atproto/pds`, on this machine, with nobody in it. */
export class Pds {
  private constructor(
    private readonly process: ServerProcess,
    readonly port: number,
  ) {}

  /** @param isLimited whether it limits what an account, or an address, may do */
  static async start(isLimited: boolean): Promise<Pds> {
    const packages = await fetchPds(() => undefined);
    const process = ServerProcess.start('pds-process');
    try {
      const data = join(process.folder, 'data');
      mkdirSync(data);
      const port = await freePort(new Set());
      const plcPort = await freePort(new Set([port]));
      const start = { packages, data, port, plcPort, adminPassword: ADMIN_PASSWORD, isLimited };
      await process.tell({ start } satisfies PdsOrder);
      return new Pds(process, port);
    } catch (error) {
      await process.stop();
      throw error;
    }
  }

  /** Where accounts sign in. @param port another one leads through a network of the test's */
  url(port = this.port): string {
    return `http://127.0.0.1:${port}`;
  }

  /** @param password the account's own; there is an app password besides */
  async join(handle: string, password = 'password-of-the-owner'): Promise<PdsUser> {
    const email = `${handle.replace(/\W/g, '-')}@example.com`;
    const { did, accessJwt } = await this.done('com.atproto.server.createAccount', {
      json: { handle, email, password },
    });
    const access = String(accessJwt);
    const app = await this.done('com.atproto.server.createAppPassword', { access, json: { name: 'downspout' } });
    return { did: String(did), handle, access, appPassword: String(app['password']) };
  }

  async revokeAppPassword({ access }: PdsUser): Promise<void> {
    await this.done('com.atproto.server.revokeAppPassword', { access, json: { name: 'downspout' } });
  }

  /** As its owner does. */
  async deactivate({ access }: PdsUser): Promise<void> {
    await this.done('com.atproto.server.deactivateAccount', { access, json: {} });
  }

  /** As moderators do. */
  async takeDown({ did }: PdsUser): Promise<void> {
    const subject = { $type: 'com.atproto.admin.defs#repoRef', did };
    await this.done('com.atproto.admin.updateSubjectStatus', {
      admin: true,
      json: { subject, takedown: { applied: true, ref: 'test' } },
    });
  }

  /** Every post of an account. */
  async posts({ did }: Pick<PdsUser, 'did'>): Promise<PdsPost[]> {
    const all: PdsPost[] = [];
    for (let cursor: string | undefined; ; ) {
      const query = { repo: did, collection: POSTS, limit: String(MAX_RECORDS), ...(cursor && { cursor }) };
      const page = (await this.done('com.atproto.repo.listRecords', { query })) as {
        records: PdsPost[];
        cursor?: string;
      };
      all.push(...page.records);
      cursor = page.cursor;
      if (cursor === undefined || page.records.length === 0) return all;
    }
  }

  /** A file that a post of the account's names, as everybody may have it. */
  async blob({ did }: Pick<PdsUser, 'did'>, cid: string): Promise<Buffer> {
    const answer = await fetch(this.url() + `/xrpc/com.atproto.sync.getBlob?did=${did}&cid=${cid}`);
    if (answer.status !== 200) throw new Error(`com.atproto.sync.getBlob: ${answer.status} ${await answer.text()}`);
    return Buffer.from(await answer.arrayBuffer());
  }

  /** The number of the account's last change: what changes nothing leaves it as it is. */
  async revision({ did }: PdsUser): Promise<string> {
    return String((await this.done('com.atproto.sync.getLatestCommit', { query: { did } }))['rev']);
  }

  /** Writes a post as another program does. */
  write({ did, access }: PdsUser, rkey: string, record: object): Promise<PdsAnswer> {
    return this.ask('com.atproto.repo.putRecord', { access, json: { repo: did, collection: POSTS, rkey, record } });
  }

  async remove({ did, access }: PdsUser, rkey: string): Promise<void> {
    await this.done('com.atproto.repo.deleteRecord', { access, json: { repo: did, collection: POSTS, rkey } });
  }

  /** Uses points of an account until fewer than those of one more request of this are left. @param points that it has */
  async spend({ did, access }: PdsUser, points: number): Promise<void> {
    const value = { $type: POSTS, text: 'a', createdAt: '2027-01-15T08:00:00.000Z' };
    for (let left = points; left >= CREATE_POINTS; ) {
      const count = Math.min(MAX_WRITES, Math.floor(left / CREATE_POINTS));
      const writes = Array.from({ length: count }, () => ({
        $type: 'com.atproto.repo.applyWrites#create',
        collection: POSTS,
        value,
      }));
      await this.done('com.atproto.repo.applyWrites', { access, json: { repo: did, writes } });
      left -= count * CREATE_POINTS;
    }
  }

  /** The server's clock goes ahead of this machine's by so much from now on, milliseconds. */
  async goAhead(aheadMs: number): Promise<void> {
    await this.process.tell({ aheadMs } satisfies PdsOrder);
  }

  async stop(): Promise<void> {
    await this.process.stop();
  }

  /** @throws Error with the server's answer when it is not what was asked for */
  private async done(name: string, request: PdsRequest): Promise<PdsAnswer['json']> {
    const { status, json } = await this.ask(name, request);
    if (status !== 200) throw new Error(`${name}: ${status} ${JSON.stringify(json)}`);
    return json;
  }

  private async ask(name: string, { query, json, access, admin }: PdsRequest): Promise<PdsAnswer> {
    const url = new URL(`/xrpc/${name}`, this.url());
    for (const [key, value] of Object.entries(query ?? {})) url.searchParams.set(key, value);
    const basic = Buffer.from(`admin:${ADMIN_PASSWORD}`).toString('base64');
    const authorization = access === undefined ? (admin ? `Basic ${basic}` : undefined) : `Bearer ${access}`;
    const answer = await fetch(url, {
      method: json === undefined ? 'GET' : 'POST',
      headers: {
        ...(json && { 'content-type': 'application/json' }),
        ...(authorization && { authorization }),
      },
      ...(json && { body: JSON.stringify(json) }),
    });
    const text = await answer.text();
    return { status: answer.status, json: text === '' ? {} : (JSON.parse(text) as PdsAnswer['json']) };
  }
}

interface PdsRequest {
  readonly query?: Readonly<Record<string, string>>;
  readonly json?: object;
  readonly access?: string;
  readonly admin?: boolean;
}
