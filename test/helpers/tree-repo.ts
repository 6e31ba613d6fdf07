import type { GitRepo, Revision, TreeChange, TreeFile } from '../../src/git/repo.ts';

/** Reads of commits whose files are known. A blob's id is its text. */
export function treeRepo(
  filesAt: (at: Revision) => Readonly<Record<string, string>>,
): Pick<GitRepo, 'fetch' | 'tree' | 'diff' | 'blob' | 'blobs' | 'entry' | 'standing'> {
  const treeOf = (at: Revision): Map<string, TreeFile> =>
    new Map(Object.entries(filesAt(at)).map(([path, text]) => [path, { oid: text, mode: '100644' }]));
  return {
    fetch: () => Promise.resolve(),
    tree: (at) => Promise.resolve(treeOf(at)),
    diff(from, to) {
      const [old, now] = [treeOf(from), treeOf(to)];
      const changes: TreeChange[] = [];
      for (const [path, after] of now) {
        const before = old.get(path);
        if (!before) changes.push({ kind: 'added', path, after });
        else if (before.oid !== after.oid) changes.push({ kind: 'modified', path, before, after });
      }
      for (const [path, before] of old) if (!now.has(path)) changes.push({ kind: 'removed', path, before });
      return Promise.resolve(changes);
    },
    entry: (at, path) => Promise.resolve(treeOf(at).get(path)),
    standing(at, path) {
      const paths = Object.keys(filesAt(at));
      const file = paths.find((one) => one === path || path.startsWith(`${one}/`));
      if (file !== undefined) return Promise.resolve({ path: file, kind: 'file' as const });
      const isFolder = paths.some((one) => one.startsWith(`${path}/`));
      return Promise.resolve(isFolder ? { path, kind: 'folder' as const } : undefined);
    },
    blob: (oid) => Promise.resolve(Buffer.from(oid)),
    async blobs(oids, take) {
      for (const oid of oids) await take(oid, Buffer.from(oid));
    },
  };
}
