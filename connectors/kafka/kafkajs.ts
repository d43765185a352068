import type * as Library from 'kafkajs';
import { codecs } from './compression/codecs';
import { fixKafkajs } from './kafkajs-fixes';

fixKafkajs();
const library = require('kafkajs') as typeof Library;

const { CompressionCodecs, CompressionTypes } = library;
CompressionCodecs[CompressionTypes.GZIP] = () => codecs.gzip;
CompressionCodecs[CompressionTypes.Snappy] = () => codecs.snappy;
CompressionCodecs[CompressionTypes.LZ4] = () => codecs.lz4;
CompressionCodecs[CompressionTypes.ZSTD] = () => codecs.zstd;

/** kafkajs with our fixes. Nothing else loads it. */
export const { AssignerProtocol, ConfigResourceTypes, ConfigSource, Kafka, KafkaJSError, logLevel } = library;
