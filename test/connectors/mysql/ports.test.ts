import { portsBattery } from './ports-battery';
import { memoryWorld, mysqlWorld } from './ports-world';

describe('the ports in memory', () => {
  portsBattery(memoryWorld);
});

describe('the ports in MySQL', () => {
  portsBattery(mysqlWorld);
});
