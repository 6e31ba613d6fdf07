import { withoutTrailing } from '../lib/trim.ts';

/** Hosts whose pages of commits are known, and those that are mostly called so where somebody runs one. */
const pages: readonly (readonly [host: RegExp, path: string])[] = [
  [/^(?:www\.)?github\.com$|^github\./, '/commit/'],
  [/^gitlab\.com$|^gitlab\./, '/-/commit/'],
  [/^bitbucket\.org$/, '/commits/'],
  [/^codeberg\.org$|^gitea\.|^forgejo\./, '/commit/'],
];

/** The page of a commit, for people; undefined where it is not known how the server of the repository shows one. Without credentials. */
export function commitUrl(repository: string, commit: string): string | undefined {
  if (!/^[0-9a-f]{40,64}$/.test(commit)) return undefined;
  // `git@github.com:org/repo.git` is a URL of SSH, too.
  const [, scpHost, scpPath] = /^(?:[\w.-]{1,100}@)?([\w.-]{1,253}):(?!\/\/)([^:\s]{1,500})$/.exec(repository) ?? [];
  const text = scpHost === undefined ? repository : `ssh://${scpHost}/${scpPath}`;
  if (!URL.canParse(text)) return undefined;
  const { protocol, hostname, pathname } = new URL(text);
  if (!['https:', 'ssh:', 'http:'].includes(protocol)) return undefined;
  const page = pages.find(([host]) => host.test(hostname));
  const path = withoutTrailing(pathname, '/').replace(/\.git$/, '');
  if (!page || path.split('/').length < 3) return undefined;
  return `https://${hostname}${path}${page[1]}${commit}`;
}
