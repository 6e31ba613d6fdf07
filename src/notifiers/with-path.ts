import { withoutTrailing } from '../lib/trim.ts';

/** The address with this path at its end, once; its query stays. */
export function withPath(address: string, path: string): string {
  const url = new URL(address);
  const standing = withoutTrailing(url.pathname, '/');
  url.pathname = standing.endsWith(path) ? standing : `${standing}${path}`;
  return url.href;
}
