/** An object of Kubernetes, as far as it matters here. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata?: { readonly name?: string };
}

type Value = unknown;
type Fields = Readonly<Record<string, Value>>;

/**
 * What makes `wanted` of `base`, as Kustomize merges it: fields that differ, `null` for those that go, items of a list by
 * their `name` where all have one, and other lists whole. Undefined when nothing differs.
 */
export function patchOf(base: Manifest, wanted: Manifest): Manifest | undefined {
  const changed = difference(base, wanted) as Fields | undefined;
  if (changed === undefined) return undefined;
  const { apiVersion, kind, metadata } = wanted;
  return { apiVersion, kind, ...changed, metadata: { ...metadata, name: metadata?.name as string } };
}

/** Undefined when nothing differs. */
function difference(base: Value, wanted: Value): Value {
  if (isFields(base) && isFields(wanted)) return fieldsThatDiffer(base, wanted);
  if (isNamed(base) && isNamed(wanted) && sameNames(base, wanted)) {
    const changed = wanted.flatMap((item, index) => {
      const fields = difference(base[index], item) as Fields | undefined;
      return fields === undefined ? [] : [{ name: item.name, ...fields }];
    });
    return changed.length === 0 ? undefined : changed;
  }
  return JSON.stringify(base) === JSON.stringify(wanted) ? undefined : wanted;
}

function fieldsThatDiffer(base: Fields, wanted: Fields): Fields | undefined {
  const names = [...new Set([...Object.keys(base), ...Object.keys(wanted)])];
  const changed = names.flatMap((name) => {
    if (!(name in wanted)) return [[name, null]];
    const value = name in base ? difference(base[name], wanted[name]) : wanted[name];
    return value === undefined ? [] : [[name, value]];
  });
  return changed.length === 0 ? undefined : Object.fromEntries(changed);
}

function isFields(value: Value): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isNamed(value: Value): value is readonly { readonly name: string }[] {
  return Array.isArray(value) && value.every((item) => isFields(item) && typeof item['name'] === 'string');
}

function sameNames(one: readonly { readonly name: string }[], two: readonly { readonly name: string }[]): boolean {
  return one.length === two.length && one.every(({ name }, index) => name === two[index]?.name);
}
