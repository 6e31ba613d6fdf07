/** The first of each tenant, the second of each, and so on, `most` of all: whoever has many takes nobody's place who has few. */
export function fairShare<One>(byTenant: ReadonlyMap<string, readonly One[]>, most: number): readonly One[] {
  const chosen: One[] = [];
  const lists = [...byTenant.values()];
  const longest = Math.max(0, ...lists.map(({ length }) => length));
  for (let at = 0; at < longest; at += 1) {
    for (const list of lists) {
      if (chosen.length >= most) return chosen;
      const one = list[at];
      if (one !== undefined) chosen.push(one);
    }
  }
  return chosen;
}
