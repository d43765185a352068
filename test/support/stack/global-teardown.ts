import { leaveStack } from './shared-stack';

export default leaveStack;
