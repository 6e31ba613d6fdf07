import { own } from './own.ts';

const unitsMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};
// Digits may be cut in one way only, or a long row of them is tried in all.
const part = '(\\d+(?:\\.\\d*)?|\\.\\d+)(ns|us|µs|μs|ms|s|m|h)';
/** Nobody's duration is longer. */
const maxLength = 1_000;
const whole = new RegExp(`^([+-]?)((?:${part})+)$`);

/** `1m30s`, `500ms`, `1.5h` as Go's time.ParseDuration reads them, in milliseconds; undefined where Go refuses. */
export function parseGoDuration(text: string): number | undefined {
  if (text.length > maxLength) return undefined;
  if (/^[+-]?0$/.test(text)) return 0;
  const match = whole.exec(text);
  if (!match) return undefined;
  const [, sign, parts = ''] = match;
  let totalMs = 0;
  for (const [, amount, unit = ''] of parts.matchAll(new RegExp(part, 'g'))) {
    totalMs += Number(amount) * (own(unitsMs, unit) ?? Number.NaN);
  }
  return sign === '-' ? -totalMs : totalMs;
}

/** As Go prints a Duration: `0s`, `500ms`, `1.515s`, `1m0s`, `1h0m0.5s`. */
export function formatGoDuration(ms: number): string {
  const sign = ms < 0 ? '-' : '';
  const totalNs = Math.round(Math.abs(ms) * 1e6);
  if (totalNs === 0) return '0s';
  if (totalNs < 1_000) return `${sign}${totalNs}ns`;
  if (totalNs < 1e6) return `${sign}${decimal(totalNs, 1e3)}µs`;
  if (totalNs < 1e9) return `${sign}${decimal(totalNs, 1e6)}ms`;
  const hours = Math.floor(totalNs / 3_600e9);
  const minutes = Math.floor((totalNs % 3_600e9) / 60e9);
  const seconds = `${decimal(totalNs % 60e9, 1e9)}s`;
  if (hours > 0) return `${sign}${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${sign}${minutes}m${seconds}` : `${sign}${seconds}`;
}

/** Exact quotient by a power of ten, without trailing zeros. */
function decimal(value: number, unit: number): string {
  const digits = Math.round(Math.log10(unit));
  const fraction = String(value % unit)
    .padStart(digits, '0')
    .replace(/0+$/, '');
  const integer = String(Math.floor(value / unit));
  return fraction === '' ? integer : `${integer}.${fraction}`;
}

/** Go's `%v` of a float64: `99`, `0.5`, `500000`, `1e+06`. */
export function formatGoFloat(value: number): string {
  if (!Number.isFinite(value)) return notFinite(value);
  if (Object.is(value, -0)) return '-0';
  const [mantissa = '', exponentText = '0'] = value.toExponential().split('e');
  const exponent = Number(exponentText);
  if (value === 0 || (exponent >= -4 && exponent < 6)) return String(value);
  return `${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

/** Go's `%.2f`: two decimals, exact halves to the even digit. */
export function toFixed2(value: number): string {
  if (!Number.isFinite(value)) return notFinite(value);
  const hundredths = Math.abs(value) * 100;
  // Only odd eighths are exact halves of a hundredth; JavaScript rounds those up.
  const isHalf = Math.abs(value * 8) % 2 === 1 && Math.floor(hundredths) % 2 === 0;
  if (!isHalf) return value.toFixed(2);
  return `${value < 0 ? '-' : ''}${(Math.floor(hundredths) / 100).toFixed(2)}`;
}

function notFinite(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  return value > 0 ? '+Inf' : '-Inf';
}
