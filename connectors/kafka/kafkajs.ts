import type * as Library from 'kafkajs';
import { fixKafkajs } from './kafkajs-fixes';

fixKafkajs();
const library = require('kafkajs') as typeof Library;

/** kafkajs with our fixes. Nothing else loads it. */
export const { AssignerProtocol, Kafka, KafkaJSError, logLevel } = library;
