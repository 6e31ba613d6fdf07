/** More is no form of ours. */
export const mostFormBytes = 65_536;
const mostFields = 100;

/** The fields of a form, the first of each name. Undefined: it has too many. */
export function readForm(body: string): ReadonlyMap<string, string> | undefined {
  const fields = new Map<string, string>();
  let count = 0;
  for (const [name, value] of new URLSearchParams(body)) {
    count += 1;
    if (count > mostFields) return undefined;
    if (!fields.has(name)) fields.set(name, value);
  }
  return fields;
}

/** Where to go on this server; the first page where a text leads elsewhere. */
export function localPath(text: string | undefined): string {
  if (text === undefined || text.length > 2_000 || !/^\/(?![/\\])[\x21-\x7e]*$/.test(text)) return '/';
  const base = 'http://here.invalid';
  if (!URL.canParse(text, base)) return '/';
  const { origin, pathname, search } = new URL(text, base);
  // Browsers take back slashes for slashes, and `/.//host` becomes `//host`.
  return origin === base && !pathname.startsWith('//') ? `${pathname}${search}` : '/';
}
