import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { run } from '../../../deploy/stack/host/commands';
import { UserError } from '../../../topology/core/errors';
import { packageRoot } from '../../../topology/settings/package';

/** What kubectl prints on its other output beside every answer of a cluster that has an API that does not answer. */
const WARNING =
  "E1128 10:00:00.000000    4242 memcache.go:287] couldn't get resource list for external.metrics.k8s.io/v1beta1: no answer\n";

/** A double of another engine's command line, which keeps what it knows in a file. */
export class CommandDouble<State extends object> {
  private readonly folder: string;

  /** @param variable names the file to the double */
  constructor(
    private readonly program: 'kubectl' | 'docker',
    private readonly variable: string,
    folder: string,
    state: State,
  ) {
    this.folder = join(folder, 'bin');
    mkdirSync(this.folder, { recursive: true });
    const script = fileOf(program);
    const command = join(this.folder, program);
    writeFileSync(command, `#!/bin/sh\nexec "${process.execPath}" "${script}" "$@"\n`);
    chmodSync(command, 0o755);
    this.change(() => state);
  }

  get state(): State {
    return JSON.parse(readFileSync(this.file, 'utf8')) as State;
  }

  change(to: (state: State) => State): void {
    writeFileSync(this.file, JSON.stringify(to(this.exists ? this.state : ({} as State))));
  }

  /** Runs the double in place of the program of its name, in this process. */
  readonly execute: typeof run = async (command, args, options) => {
    if (command !== this.program) throw new Error(`${command} was to be run`);
    options?.signal?.throwIfAborted();
    const load = createRequire(__filename);
    const { answer } = load(fileOf('answering')) as {
      readonly answer: (
        double: unknown,
        args: readonly string[],
        file: string,
        variables: Readonly<Record<string, string>>,
      ) => { code: number; text: string };
    };
    const { code, text } = answer(load(fileOf(this.program)), args, this.file, options?.settings ?? {});
    if (code === 0) return this.program === 'docker' || options?.onlyStdout === true ? text : text + WARNING;
    throw new UserError(`\`${command} ${args.join(' ')}\` failed:\n${text}`);
  };

  /** What a process needs in its environment to find the double instead of the program. */
  get variables(): Readonly<Record<string, string>> {
    return { PATH: `${this.folder}:${process.env['PATH']}`, [this.variable]: this.file };
  }

  private get file(): string {
    return join(this.folder, 'state.json');
  }

  private get exists(): boolean {
    try {
      return readFileSync(this.file, 'utf8') !== '';
    } catch {
      return false;
    }
  }
}

function fileOf(name: string): string {
  return join(packageRoot(), 'test', 'support', 'targets', `${name}.cjs`);
}
