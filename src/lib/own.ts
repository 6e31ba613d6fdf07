/**
 * The member of a record under a name that somebody else chose; undefined where the record itself has none. Plain indexing would find what
 * every object inherits: `constructor`, `toString`.
 */
export const own = <Value>(record: Readonly<Record<string, Value>>, name: string): Value | undefined =>
  Object.hasOwn(record, name) ? record[name] : undefined;
