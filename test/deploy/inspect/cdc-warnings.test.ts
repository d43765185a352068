import type { WorkerStatus } from '../../../connectors/mysql/operators/worker-status';
import { type CdcSides, cdcWarnings } from '../../../deploy/inspect/cdc-warnings';

const worker = (silentMs: number, state: WorkerStatus['state'] = 'alive') =>
  ({ state, gauges: { due: { cdc_silent_ms: silentMs } } }) as unknown as WorkerStatus;
const sides = (over: Partial<CdcSides> = {}): CdcSides => ({ connector: [], binlog: [], workers: [], ...over });
const LATE = expect.stringContaining('may be late by some seconds');

test('CDC that works is no reason for a warning, nor a Connect that does not answer: the list of parts has that', () => {
  expect(cdcWarnings(sides())).toEqual([]);
  expect(cdcWarnings(sides({ connector: null, workers: [worker(2_000)] }))).toEqual([]);
});

test('a connector that was paused is named, and what that means for messages', () => {
  const connector = ['the connector is PAUSED: `downspout provision` resumes it'];
  expect(cdcWarnings(sides({ connector }))).toEqual([
    'Kafka Connect: the connector is PAUSED: `downspout provision` resumes it.',
    LATE,
  ]);
});

test('settings of the binlog are named', () => {
  const binlog = ['binlog_row_image is MINIMAL: SET PERSIST binlog_row_image=FULL'];
  expect(cdcWarnings(sides({ binlog }))).toEqual([
    'CDC cannot work with the binlog of this MySQL server: binlog_row_image is MINIMAL: SET PERSIST binlog_row_image=FULL.',
    LATE,
  ]);
});

test('silence is measured by workers that are alive', () => {
  expect(cdcWarnings(sides({ workers: [worker(10_001), worker(60_000, 'dead')] }))).toEqual([
    'CDC has been silent for 10.0 s.',
    LATE,
  ]);
});
