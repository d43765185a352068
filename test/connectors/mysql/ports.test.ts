import { changesBattery } from './changes-battery';
import { keptIdsBattery } from './kept-ids-battery';
import { latenessBattery } from './lateness-battery';
import { limitsBattery } from './limits-battery';
import { openRowsBattery } from './open-rows-battery';
import { memoryWorld, mysqlWorld } from './ports-world';
import { readyRowsBattery } from './ready-rows-battery';
import { refreshBattery } from './refresh-battery';
import { sendRowsBattery } from './send-rows-battery';
import { suspendedBattery } from './suspended-battery';

/** The ports' promises: everything that stands behind them must keep these. */
describe.each([
  { where: 'in memory', open: memoryWorld },
  { where: 'in MySQL', open: mysqlWorld },
])('the ports $where', ({ open }) => {
  describe('for bolts', () => {
    sendRowsBattery(open);
    suspendedBattery(open);
    latenessBattery(open);
  });
  describe('for bolts whose accounts have limits', () => {
    limitsBattery(open);
  });
  describe('for bolts whose credentials end', () => {
    refreshBattery(open);
  });
  describe('for bolts whose channel keeps ids', () => {
    keptIdsBattery(open);
  });
  describe('for bolts that make messages ready before their instant', () => {
    readyRowsBattery(open);
  });
  describe('for spouts and workers', () => {
    openRowsBattery(open);
  });
  describe('for applications', () => {
    changesBattery(open);
  });
});
