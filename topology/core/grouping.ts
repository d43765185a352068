/** Which partition a tuple goes to: tuples with equal keys share one. */
export interface Grouping<T> {
  readonly name: string;
  readonly key: (value: T) => string;
}

/** The fields of T that can be a key. */
type KeyField<T> = { [F in keyof T & string]: T[F] extends string | number ? F : never }[keyof T & string];

/** Storm's fields grouping: tuples with the same value of `field` go to the same task, in order. */
export function fieldsGrouping<T>(field: KeyField<T>): Grouping<T> {
  return { name: `fields(${field})`, key: (value) => String(value[field]) };
}
