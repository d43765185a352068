/** One record of a stream, decoded. */
export interface Tuple<T> {
  readonly stream: string;
  readonly partition: number;
  /** Kafka's offset: an integer below 2^53. */
  readonly offset: number;
  /** When the record was appended, epoch milliseconds by the producer's or broker's clock. */
  readonly timestamp: number;
  readonly value: T;
}

/** Where an emitted tuple ended up. */
export interface Placement {
  readonly partition: number;
  readonly offset: number;
}
