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
