import { commandLines, type ProcessRecord, recordOf } from '../../stack/host/processes';

/** A worker process, by what its command line says. */
export interface StrayWorker extends ProcessRecord {
  readonly component: string;
  readonly replica: number;
  readonly releaseNumber: number;
}

/** The arguments of a worker that a supervisor starts. @param statusHost where it serves its status; its own default unless given */
export function workerArguments(
  { component, replica }: Pick<StrayWorker, 'component' | 'replica'>,
  releaseNumber: number,
  supervisor: string,
  statusHost?: string,
): string[] {
  const place = ['--release', releaseNumber, '--replica', replica, '--supervisor', supervisor].map(String);
  const status = statusHost === undefined ? [] : ['--status-host', statusHost];
  return ['worker', '--component', component, ...place, ...status];
}

/** Workers of a supervisor that run, whether or not anything was remembered of them. */
export function workersBySight(supervisor: string): StrayWorker[] {
  return [...commandLines()].flatMap(([pid, line]) => {
    const value = (name: string) => line[line.indexOf(name) + 1] ?? '';
    if (!line.includes('worker') || !line.includes('--supervisor') || value('--supervisor') !== supervisor) return [];
    const record = recordOf(pid);
    if (record === null) return [];
    const [replica, releaseNumber] = [Number(value('--replica')), Number(value('--release'))];
    return [{ ...record, component: value('--component'), replica, releaseNumber }];
  });
}
