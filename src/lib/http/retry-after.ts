/** No server says so much in this header. */
const longest = 100;

/**
 * What a `Retry-After` header asks for, in milliseconds from now: seconds, or a date. `nowMs` is the time by which a date is read, in
 * milliseconds since 1970; undefined: dates say nothing. Undefined: the header is absent, or means nothing. Callers bound it: servers
 * may ask for any time.
 */
export function retryAfterMs(
  header: string | readonly string[] | undefined,
  nowMs: number | undefined,
): number | undefined {
  const [text] = typeof header === 'string' ? [header] : (header ?? []);
  if (text === undefined || text.length > longest) return undefined;
  if (/^\s*\d+(?:\.\d+)?\s*$/.test(text)) return Number(text) * 1_000;
  // Date.parse takes much else for a date.
  if (!/^\s*(?:mon|tue|wed|thu|fri|sat|sun)/i.test(text)) return undefined;
  const ms = Date.parse(text) - (nowMs ?? Number.NaN);
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}
