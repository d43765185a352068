import { join } from 'node:path';
import type { Clock } from '../../topology/core/clock';
import { reasonOf, UserError } from '../../topology/core/errors';
import { packageRoot } from '../../topology/settings/package';
import { ComposeFile } from './compose-file';
import { ComposeStack } from './compose-stack';
import { Cache, cacheFolder } from './fetch/cache';
import { tryRun } from './host/commands';
import { NativeStack } from './native-stack';
import { requireKafka } from './parts/kafka-part';
import { requireMySql } from './parts/mysql-part';
import type { Stack, StackOptions } from './stack';
import { StackStateFile } from './stack-state';

export interface Choice {
  readonly stack: Stack;
  readonly why: string;
}

/**
 * How the stack is to run. A stack that runs already stays as it is. Otherwise it runs in Docker when the caller wants that,
 * natively where this machine can, and else in Docker where an engine answers.
 * @throws UserError when neither can be, naming what to install
 */
export async function chooseStack(options: StackOptions, clock: Clock, wantDocker: boolean): Promise<Choice> {
  const running = new StackStateFile(options.folder).read()?.mode;
  if (wantDocker || running === 'compose') {
    if (!(await dockerAnswers())) {
      throw new UserError(
        wantDocker
          ? 'No Docker engine answers (`docker info`). Start it, or leave --docker out.'
          : 'The stack was started in Docker, and no engine answers (`docker info`). Start it.',
      );
    }
    return { stack: new ComposeStack(options), why: wantDocker ? 'as asked' : 'as before' };
  }
  const native = () => new NativeStack({ ...options, clock });
  if (running === 'native') return { stack: native(), why: 'as before' };
  const obstacle = await nativeObstacle(options, clock);
  if (obstacle === null) return { stack: native(), why: 'all it needs is on this machine or can be fetched' };
  if (await dockerAnswers()) return { stack: new ComposeStack(options), why: obstacle };
  throw new UserError(`${obstacle}\nNo Docker engine answers either (\`docker info\`).`);
}

/** The stack that was started in this folder; null when there is none. */
export function startedStack(options: StackOptions, clock: Clock): Stack | null {
  const mode = new StackStateFile(options.folder).read()?.mode;
  if (mode === undefined) return null;
  return mode === 'compose' ? new ComposeStack(options) : new NativeStack({ ...options, clock });
}

/** Why the stack cannot run natively, or null. */
async function nativeObstacle(options: StackOptions, clock: Clock): Promise<string | null> {
  const compose = ComposeFile.read(options.composeFile ?? join(packageRoot(), 'docker-compose.yml'), options.variables);
  const cache = new Cache(cacheFolder(options.variables), clock);
  try {
    await requireKafka(compose, cache);
    await requireMySql(compose);
    return null;
  } catch (error) {
    if (error instanceof UserError) return reasonOf(error);
    throw error;
  }
}

async function dockerAnswers(): Promise<boolean> {
  return (await tryRun('docker', ['info'])) !== null;
}
