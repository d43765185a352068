#!/usr/bin/env node
import { endWithNpm } from './npm-starter';
import { main } from './program';

endWithNpm();
void main(process.argv);
