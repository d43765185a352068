/**
 * How a stream's values become bytes and come back.
 * `decode` throws {@link BadRecord} for bytes it does not understand; that record is counted and skipped, never retried.
 */
export interface Codec<T> {
  encode(value: T): Buffer;
  decode(bytes: Buffer): T;
}

/** A typed Kafka topic. The name is the topic's name, without the namespace of the deployment. */
export interface Stream<T> {
  readonly name: string;
  readonly codec: Codec<T>;
}

export function stream<T>(name: string, codec: Codec<T>): Stream<T> {
  return Object.freeze({ name, codec });
}
