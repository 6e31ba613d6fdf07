import type { ToolResult } from './run-tool.ts';

/** What a program says of its version, or why none could be used, for people. */
export type Version =
  | { readonly said: string; readonly problem?: undefined }
  | { readonly said?: undefined; readonly problem: string };

/** Why a program is not used that was asked for its version. */
export function unusable(name: string, major: number, result: ToolResult): string {
  const missing = `there is no program ${name} of version ${major}`;
  if (result.kind === 'done' || (result.kind === 'missing' && result.isAbsent)) return missing;
  const reason = shownReason(result.reason);
  return result.kind === 'missing'
    ? `the program ${name} cannot be started: ${reason}`
    : `${missing}: asked for its version, it says: ${reason}`;
}

const reasonLength = 300;

/** Fields that a Secret may be wrong in. */
const plainWords = new Set(
  'apiVersion kind metadata name namespace labels annotations data stringData type Secret'.split(' '),
);

/** Without words that stand in a file with a Secret: the program prints what it stumbles over. */
export function masked(reason: string, contents: Iterable<Uint8Array>): string {
  const all = [...contents].map((content) => Buffer.from(content).toString('latin1'));
  // What a generator of Secrets reads says nothing of them itself.
  const isAll = all.some((text) => text.includes('secretGenerator'));
  const secret = all.filter((text) => isAll || text.includes('Secret'));
  if (secret.length === 0) return reason;
  return Buffer.from(reason, 'utf8')
    .toString('latin1')
    .replaceAll(/[^\s'"[\]{}(),:]{3,}/g, (word) =>
      plainWords.has(word) || !secret.some((text) => text.includes(word)) ? word : '***',
    );
}

/** One line, its end where it is long. */
export function shownReason(reason: string): string {
  const lines = reason.split('\n');
  const text = lines
    .map((one) => one.trim())
    .filter((one) => one !== '' && !one.startsWith('#'))
    .join(' ');
  const short = text.replace(/^Error: /, '');
  return short.length > reasonLength ? `…${short.slice(-reasonLength)}` : short;
}
