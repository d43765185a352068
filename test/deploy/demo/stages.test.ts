import { gaugeOf } from '../../../deploy/demo/stages';

test('a gauge is summed over its labels, and not taken for one whose name begins alike', () => {
  const text = [
    '# HELP downspout_held Messages prefetched.',
    '# TYPE downspout_held gauge',
    'downspout_held{component="webhook"} 12',
    'downspout_held{component="x"} 3.5',
    'downspout_held_bytes{component="webhook"} 99999',
    'downspout_in_flight{component="webhook"} 7',
    'downspout_cdc_failed 2',
    'downspout_unwritten{component="webhook"} NaN',
  ].join('\n');
  expect(gaugeOf(text, 'held')).toBe(15.5);
  expect(gaugeOf(text, 'cdc_failed')).toBe(2);
  expect(gaugeOf(text, 'unwritten')).toBe(0);
  expect(gaugeOf('', 'held')).toBe(0);
});
