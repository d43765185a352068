import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { OutputOptions } from '../../console/output';
import { Output } from '../../console/output';
import { writeStarter } from '../../starter/starter-folder';
import { dataVerb } from '../verb';

interface InitOptions extends OutputOptions {
  readonly force?: boolean;
  readonly dryRun?: boolean;
}

/** `downspout init`. */
export function initCommand(): Command {
  return dataVerb('init', 'write a folder to begin with: topology.yaml, settings, docker-compose.yml', {
    example: 'downspout init my-deployment',
  })
    .argument('[folder]', 'made when it is not there', '.')
    .option('--force', 'replace files that are there')
    .option('--dry-run', 'say what would be written, and write nothing')
    .action((folder: string, options: InitOptions) => {
      const dryRun = options.dryRun === true;
      const files = writeStarter({ folder, force: options.force === true, dryRun });
      new Output(options).data({ folder: resolve(folder), files, dryRun }, () => {
        const list = files.map((file) => `  ${file}`).join('\n');
        return dryRun
          ? `Would be written into ${resolve(folder)}:\n${list}`
          : `${resolve(folder)} has now:\n${list}\n\n${next(folder)}`;
      });
    });
}

function next(folder: string): string {
  const begin = folder === '.' ? '' : `  cd ${folder}\n`;
  return `Next, on this machine:\n${begin}  npx downspout up        # starts MySQL, Kafka and Connect, and makes them ready\n  npx downspout plan      # what topology.yaml would change\n  npx downspout deploy    # starts the workers\n\nOn parts that run elsewhere: copy .env.example to .env, fill it in, load it, and run \`npx downspout provision\` and \`npx downspout deploy\`.`;
}
