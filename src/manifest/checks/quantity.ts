const powers = ['', 'k', 'M', 'G', 'T', 'P', 'E'];
const factors = new Map<string, number>([
  ['n', 1e-9],
  ['u', 1e-6],
  ['m', 1e-3],
  ...powers.map((suffix, power) => [suffix, 1_000 ** power] as const),
  ...powers.slice(1).map((suffix, power) => [`${suffix.toUpperCase()}i`, 1_024 ** (power + 1)] as const),
]);

/** A quantity of Kubernetes as a number, to compare it; undefined where it is none. */
export function quantityOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string') return undefined;
  const [, amount = '', suffix = ''] =
    /^([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)([a-zA-Z]{0,2})$/.exec(value) ?? [];
  const factor = factors.get(suffix);
  return amount === '' || factor === undefined ? undefined : Number(amount) * factor;
}
