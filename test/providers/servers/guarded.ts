import { spawn } from 'node:child_process';

/** Runs the command that it is given, and ends it as soon as whoever started this process has ended or wants it to. */
const [command = '', ...args] = process.argv.slice(2);
const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });

child.on('error', (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
  if (process.connected) process.disconnect();
});
child.on('exit', (code) => {
  process.exitCode = code ?? 1;
  if (process.connected) process.disconnect();
});
process.on('disconnect', () => child.kill());
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill());
