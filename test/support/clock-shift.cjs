/**
 * To be loaded before a worker (`NODE_OPTIONS=--require …`): its wall clock is wrong by CLOCK_SHIFT milliseconds. Clocks that
 * never step, and timers, are as they were.
 */
const shift = Number(process.env.CLOCK_SHIFT);
const Right = Date;

globalThis.Date = class Date extends Right {
  constructor(...given) {
    if (given.length === 0) super(Right.now() + shift);
    else super(...given);
  }

  static now() {
    return Right.now() + shift;
  }
};
