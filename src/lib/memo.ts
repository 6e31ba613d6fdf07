/**
 * The same function, computed once for each object and forgotten with it. Only for what a pure function makes of an object that nobody
 * changes any more, as those of the cluster's views are: their new versions are new objects.
 */
export function perObject<Key extends object, Value>(compute: (object: Key) => Value): (object: Key) => Value {
  const known = new WeakMap<Key, { readonly value: Value }>();
  return (object) => {
    const before = known.get(object);
    if (before) return before.value;
    const value = compute(object);
    known.set(object, { value });
    return value;
  };
}

/** The same function, computed once for each text, for as many of them as `limit`: all are forgotten when there would be more. */
export function perText<Value>(limit: number, compute: (text: string) => Value): (text: string) => Value {
  const known = new Map<string, { readonly value: Value }>();
  return (text) => {
    const before = known.get(text);
    if (before) return before.value;
    const value = compute(text);
    if (known.size >= limit) known.clear();
    known.set(text, { value });
    return value;
  };
}
