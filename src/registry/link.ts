const maxLength = 4_000;

/** The URL of the next page in a Link header, on the same server and of the same list; undefined: none. `strange`: it leads elsewhere. */
export function nextPage(header: string | undefined, page: URL): URL | undefined | 'strange' {
  if (header === undefined) return undefined;
  if (header.length > maxLength) return 'strange';
  // Several links are divided by commas, which may stand in URLs too.
  for (const link of header.split(/,(?=\s*<)/)) {
    const begin = link.indexOf('<');
    const end = link.indexOf('>', begin);
    if (begin < 0 || end < 0 || !/;\s{0,10}rel\s{0,10}=\s{0,10}"?next"?/i.test(link.slice(end))) continue;
    const target = link.slice(begin + 1, end);
    if (!URL.canParse(target, page.href)) return 'strange';
    const next = new URL(target, page.href);
    // Behind a proxy that ends TLS some registries name themselves by http.
    if (next.host === page.host) next.protocol = page.protocol;
    return next.origin === page.origin && next.pathname === page.pathname ? next : 'strange';
  }
  return undefined;
}
