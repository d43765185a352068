import type { Socket } from 'node:net';
import type { Clock } from '../../../topology/core/clock';
import type { Outcome } from '../../../topology/message';
import { AttemptsUnderWay } from '../http/attempts-under-way';
import { isLocal } from '../http/name-resolver';
import { Network, type NetworkSettings } from '../http/network';
import { unreachable } from '../http/unreachable';
import { within } from '../http/within';
import type { Ready } from '../provider/provider-accounts';
import { type EmailCredentials, hostOf, originOf, portOf } from './email-credentials';
import { shownOf } from './smtp-answers';
import { SmtpDialogue, type SmtpMail } from './smtp-dialogue';

interface SmtpCallerOptions {
  /** Of one mail from the call to the server's answer, connecting included. Milliseconds. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly network: NetworkSettings;
}

type Ended = Outcome | 'not_started';

/** Where mail servers take mail of clients; at others there are perhaps other servers of the operator's. */
const PORTS = new Set([25, 465, 587, 2465, 2525, 2587]);

/**
 * Speaks to mail servers: addresses, time-outs, one connection for each mail. Proxies are for HTTP and are not used.
 *
 * 1. *Private addresses are refused, unless they are allowed*: the address that is connected to is the one that was checked.
 * 2. *A mail and a password travel in clear only where the operator allows it*, or on this machine.
 * 3. *Only ports of mail servers are connected to*, unless all private addresses are allowed.
 */
export class SmtpCaller {
  private readonly network: Network;
  private readonly underWay: AttemptsUnderWay;
  private readonly dialogues = new Set<SmtpDialogue>();
  private isClosed = false;

  constructor(private readonly options: SmtpCallerOptions) {
    const { clock, network, timeoutMs } = options;
    this.network = new Network({ settings: network, clock, connectMs: timeoutMs / 2 });
    this.underWay = new AttemptsUnderWay(clock, timeoutMs);
  }

  /**
   * @param mail none: the login is all that is tried
   * @param mayStart asked once, in the tick in which the final dot is written
   */
  async call(
    account: string,
    { credentials, secrets }: Ready<EmailCredentials>,
    mail: SmtpMail | undefined,
    mayStart: () => boolean,
  ): Promise<Ended> {
    const { clock, timeoutMs, network } = this.options;
    const host = hostOf(credentials);
    // What a worker's own settings do not allow says nothing of the account: another worker may send it, or this one tomorrow.
    if (credentials.security === 'plain' && network.allowPlainMail !== true && !isThisMachine(host)) {
      const reason =
        'The account asks for no encryption; set `security` to tls or starttls, or EMAIL_ALLOW_PLAIN to true';
      return { kind: 'postponed', reason };
    }
    if (!PORTS.has(portOf(credentials)) && !network.allowPrivateAddresses) {
      const reason = `The account's \`port\` is none of mail servers'; expected ${[...PORTS].join(', ')}`;
      return { kind: 'postponed', reason };
    }
    const startedAt = clock.monotonic();
    try {
      const reach = await this.network.prepare(host, account, false);
      if (this.isClosed) return 'not_started';
      if (reach !== 'reachable') {
        const { message: reason } = this.network.refusal(host);
        return { kind: reach === 'refused' ? 'rejected' : 'retry', reason };
      }
      const leftMs = startedAt + timeoutMs / 2 - clock.monotonic();
      const socket = await this.dial(host, portOf(credentials), leftMs);
      if (socket === undefined) {
        const reason = `${originOf(credentials)}: no connection within ${timeoutMs / 2} ms`;
        // A server that was given little of the time may take connections of others.
        return leftMs < timeoutMs / 4 ? { kind: 'retry', reason } : { kind: 'retry', reason, unreachable: true };
      }
      if (this.isClosed) {
        socket.destroy();
        return 'not_started';
      }
      const { user, password, security } = credentials;
      const login = user === undefined || password === undefined ? undefined : { user, pass: password };
      const dialogue = new SmtpDialogue(
        {
          server: { host: host.replace(/^\[|\]$/g, ''), security, login },
          monotonic: () => clock.monotonic(),
          timeoutMs,
          shown: (reply) => shownOf(reply, user, secrets),
        },
        startedAt,
        socket,
        (one) => {
          this.dialogues.delete(one);
          this.underWay.remove(one);
        },
      );
      this.dialogues.add(dialogue);
      this.underWay.add(dialogue);
      return await dialogue.run(mail, mayStart);
    } catch (error) {
      return this.isClosed ? 'not_started' : unreachable(error, originOf(credentials));
    }
  }

  /** @returns undefined when there is no connection in time */
  private async dial(host: string, port: number, leftMs: number): Promise<Socket | undefined> {
    if (leftMs <= 0) return undefined;
    const dialing = this.network.dial(host, port);
    try {
      return await within(this.options.clock, leftMs, dialing, () => new Late());
    } catch (error) {
      if (!(error instanceof Late)) throw error;
      dialing.then(
        (socket) => socket.destroy(),
        () => undefined,
      );
      return undefined;
    }
  }

  /** Ends what is under way. */
  close(): void {
    this.isClosed = true;
    for (const dialogue of this.dialogues) dialogue.abandon();
    this.underWay.close();
    this.network.close();
  }
}

class Late extends Error {}

function isThisMachine(host: string): boolean {
  return isLocal(host) || host === '127.0.0.1' || host === '[::1]';
}
