import type * as Library from 'kafkajs';
import { mendKafkajs } from './kafkajs-fixes';

mendKafkajs();
const library = require('kafkajs') as typeof Library;

/** kafkajs, mended. Nothing else loads it. */
export const { AssignerProtocol, Kafka, KafkaJSError, logLevel } = library;
