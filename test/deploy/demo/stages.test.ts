import { gaugeOf } from '../../../deploy/demo/stages';

test('a gauge is summed over its labels, and not taken for one whose name begins alike', () => {
  const text = [
    '# HELP downspout_held held, now.',
    '# TYPE downspout_held gauge',
    'downspout_held{component="webhook"} 12',
    'downspout_held{component="x"} 3.5',
    'downspout_held_bytes{component="webhook"} 99999',
    'downspout_in_flight{component="webhook"} 7',
    'downspout_bare 2',
    'downspout_odd{component="webhook"} NaN',
  ].join('\n');
  expect(gaugeOf(text, 'downspout_held')).toBe(15.5);
  expect(gaugeOf(text, 'downspout_bare')).toBe(2);
  expect(gaugeOf(text, 'downspout_odd')).toBe(0);
  expect(gaugeOf('', 'downspout_held')).toBe(0);
});
