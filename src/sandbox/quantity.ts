const binary = { Ki: 1, Mi: 2, Gi: 3, Ti: 4, Pi: 5 } as const;
const decimal = { n: -3, u: -2, m: -1, k: 1, M: 2, G: 3, T: 4, P: 5 } as const;

/** A Kubernetes quantity as a number: bytes, cores, pieces. Undefined where it is none. */
export function quantity(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  const [, digits = '', unit = ''] = /^([+-]?[\d.]+(?:[eE][+-]?\d+)?)([A-Za-z]{0,2})$/.exec(String(value)) ?? [];
  const number = Number(digits);
  if (digits === '' || !Number.isFinite(number)) return undefined;
  if (unit === '') return number;
  if (Object.hasOwn(binary, unit)) return number * 1024 ** binary[unit as keyof typeof binary];
  return Object.hasOwn(decimal, unit) ? number * 1000 ** decimal[unit as keyof typeof decimal] : undefined;
}
