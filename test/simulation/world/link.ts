import { Unavailable } from '../../../topology/core/errors';
import type { Random } from '../../support/random';
import type { Machine } from './machine';
import type { SimulatedTime } from './time';

/** The state of a part of the stack, as its callers notice it. Chances are parts of 1, times milliseconds. */
export interface Condition {
  away: boolean;
  /** The call fails and nothing happens. */
  refused: number;
  /** It happens and the answer is lost. */
  lost: number;
  /** The call fails for the caller, and happens later all the same. */
  late: number;
  /** One way, at least and at most. */
  least: number;
  most: number;
}

export function healthy(): Condition {
  return { away: false, refused: 0, lost: 0, late: 0, least: 0.3, most: 4 };
}

export interface LinkOptions {
  readonly time: SimulatedTime;
  readonly random: Random;
  readonly name: string;
  readonly condition: Condition;
  /** Called as a call arrives and as its answer leaves: places where a worker may die. */
  readonly onStep: (machine: Machine) => void;
}

/** How long a caller waits for an answer that does not come, milliseconds. */
const TIMEOUT = 3_000;
/** A call that is late happens within this, milliseconds. */
const LATEST = 8_000;

/** The way from machines to a part of the stack and back: it takes time, and sometimes fails in one direction only. */
export class Link {
  constructor(private readonly options: LinkOptions) {}

  /** Lets time pass at the part itself. */
  wait(milliseconds: number): Promise<void> {
    return this.options.time.sleep(milliseconds);
  }

  /**
   * @param slow how much longer than usual each way takes
   * @param isCut the machine is cut off
   */
  call<T>(
    machine: Machine,
    effect: () => Promise<T> | T,
    slow: { there: number; back: number },
    isCut: () => boolean = () => false,
  ): Promise<T> {
    const { time, random, condition, onStep, name } = this.options;
    const { least, most } = condition;
    const there = random.skewed(least, most) * slow.there;
    const back = random.skewed(least, most) * slow.back;
    const fate = random.next();
    const happen = async () => effect();
    return new Promise<T>((resolve, reject) => {
      const answer = (delay: number, settle: () => void) =>
        time.after(delay, () => {
          onStep(machine);
          machine.deliver(settle);
        });
      const fail = (delay: number) => answer(delay, () => reject(new Unavailable(`${name} did not answer`)));
      onStep(machine);
      time.after(there, () => {
        const { away, refused, lost, late } = condition;
        if (away || isCut() || fate < refused) {
          fail(fate < refused / 2 ? TIMEOUT : back);
          return;
        }
        if (fate < refused + late) {
          fail(TIMEOUT);
          time.after(TIMEOUT + random.between(0, LATEST - TIMEOUT), () => void happen().catch(() => undefined));
          return;
        }
        const isLost = fate < refused + late + lost;
        happen().then(
          (value) => {
            if (isLost || isCut()) fail(random.chance(0.5) ? back : TIMEOUT);
            else answer(back, () => resolve(value));
          },
          (error: unknown) => answer(back, () => reject(error)),
        );
      });
    });
  }
}
