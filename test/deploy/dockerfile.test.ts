import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DockerfileParser } from 'dockerfile-ast';
import { validate } from 'dockerfile-utils';
import { packageRoot } from '../../topology/settings/package';

const text = readFileSync(join(packageRoot(), 'deploy', 'Dockerfile'), 'utf8');
const dockerfile = DockerfileParser.parse(text);
const instructions = dockerfile.getInstructions();
const stages = dockerfile.getFROMs();
const lastStage = stages.at(-1)?.getRange().start.line as number;
const ofLastStage = instructions.filter((one) => one.getRange().start.line >= lastStage);
const argumentsOf = (keyword: string) =>
  ofLastStage.filter((one) => one.getKeyword() === keyword).map((one) => one.getArgumentsContent() as string);

describe('deploy/Dockerfile', () => {
  it('has nothing that a linter objects to, which sees what is wrong', () => {
    expect(validate(text)).toEqual([]);
    expect(validate(text.replace('WORKDIR /app', 'WORKDIR app'))).not.toEqual([]);
  });

  it('pins every image to a minor', () => {
    for (const stage of stages) expect(stage.getImage()).toMatch(/^node:\d+\.\d+-bookworm-slim$/);
  });

  it('builds in one stage and runs in another, which takes only the package and what it needs', () => {
    expect(stages.length).toBeGreaterThan(1);
    const copies = text
      .split('\n')
      .slice(lastStage)
      .filter((line) => line.startsWith('COPY'));
    expect(copies).toEqual(['COPY --from=packages /app/ ./']);
    expect(argumentsOf('ADD')).toEqual([]);
  });

  it('runs as a user who is not root, and keeps nothing that installs', () => {
    expect(argumentsOf('USER')).toEqual(['1000:1000']);
    expect(argumentsOf('RUN')).toHaveLength(1);
    expect(argumentsOf('RUN')[0]).toMatch(/^rm -rf .*node_modules/);
    for (const tool of ['npm', 'npx', 'corepack', 'yarn'])
      expect(argumentsOf('RUN')[0]).toContain(`/usr/local/bin/${tool}`);
  });

  it('starts the command line itself, so that SIGTERM reaches it', () => {
    expect(argumentsOf('ENTRYPOINT')).toEqual(['["node", "/app/dist/deploy/cli/downspout.js"]']);
  });

  it('is not built from what a checkout has beside the sources', () => {
    const ignored = readFileSync(join(packageRoot(), '.dockerignore'), 'utf8').split('\n');
    expect(ignored).toEqual(expect.arrayContaining(['.git', '.downspout', 'node_modules', 'dist', '.env']));
  });
});
