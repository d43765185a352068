/** Which partition a tuple goes to: tuples with equal keys go to the same one. */
export interface Grouping<T> {
  readonly name: string;
  readonly key: (value: T) => string;
}

/** Storm's fields grouping: tuples with the same value of `field` go to the same task, in order. */
export function fieldsGrouping<F extends string>(field: F): Grouping<Readonly<Record<F, string | number>>> {
  return { name: `fields(${field})`, key: (value) => String(value[field]) };
}
