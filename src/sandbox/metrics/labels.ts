/** Label names and values; the metric's name is under `__name__`, as Prometheus keeps it. Empty values equal absent ones. */
export type Labels = Readonly<Record<string, string>>;

export const NAME = '__name__';

/** Equal label sets give equal text. */
export function keyOf(labels: Labels): string {
  const names = Object.keys(labels).sort();
  let key = '';
  for (const name of names) key += `${name}\u0000${labels[name] ?? ''}\u0001`;
  return key;
}

export function without(labels: Labels, names: readonly string[]): Labels {
  return Object.fromEntries(Object.entries(labels).filter(([name]) => !names.includes(name)));
}

export function only(labels: Labels, names: readonly string[]): Labels {
  return Object.fromEntries(Object.entries(labels).filter(([name]) => names.includes(name)));
}

export function withoutName(labels: Labels): Labels {
  return without(labels, [NAME]);
}

/** `name{a="b"}`, the way Prometheus writes a series in messages and in its text format. */
export function textOf(labels: Labels): string {
  const pairs = Object.entries(labels)
    .filter(([name]) => name !== NAME)
    .map(([name, value]) => `${name}="${value.replace(/[\\"\n]/g, escapeCharacter)}"`);
  const name = labels[NAME] ?? '';
  return pairs.length === 0 && name !== '' ? name : `${name}{${pairs.join(',')}}`;
}

function escapeCharacter(character: string): string {
  return character === '\n' ? '\\n' : `\\${character}`;
}
