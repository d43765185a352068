import { joinStack } from './shared-stack';

export default joinStack;
