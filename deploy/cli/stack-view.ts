import type { Output } from '../console/output';
import type { PartEvent } from '../stack/stack';

const NAME_WIDTH = 11;

/** Progress of a stack, one line for each thing that happens. */
export function showParts(output: Output): (event: PartEvent) => void {
  return ({ part, stage, text }) => {
    const { dim, green, red, yellow } = output.colors;
    const paint = {
      fetching: dim,
      starting: dim,
      stopping: dim,
      ready: green,
      kept: green,
      stopped: green,
      skipped: yellow,
      failed: red,
    }[stage];
    output.line(`${part.padEnd(NAME_WIDTH)} ${paint(text)}`);
  };
}
