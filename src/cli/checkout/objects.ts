import { asRevision, type GitRepo, type Revision, type TreeFile } from '../../git/repo.ts';
import { AgentError } from '../../lib/errors.ts';
import type { GitProgram } from './program.ts';

type Objects = Pick<GitRepo, 'fetch' | 'has' | 'tree' | 'diff' | 'blob' | 'blobs' | 'entry'>;

/** What is read of a repository that git holds, at commits or trees that are there. */
export function objectsOf(git: GitProgram): Objects {
  const trees = new Map<Revision, Promise<ReadonlyMap<string, TreeFile>>>();
  const treeAt = (at: Revision): Promise<ReadonlyMap<string, TreeFile>> => {
    const known = trees.get(at);
    if (known) return known;
    const read = readTree(git, at);
    trees.set(at, read);
    return read;
  };
  const under = (files: ReadonlyMap<string, TreeFile>, folder: string): ReadonlyMap<string, TreeFile> =>
    folder === '' ? files : new Map([...files].filter(([path]) => path.startsWith(`${folder}/`)));
  return {
    fetch: () => Promise.resolve(),
    has: () => Promise.resolve(true),
    tree: async (at, folder) => under(await treeAt(at), folder),
    entry: async (at, path) => (await treeAt(at)).get(path),
    async diff(before, after, folder) {
      const [was, is] = [under(await treeAt(before), folder), under(await treeAt(after), folder)];
      const gone = [...was].filter(([path]) => !is.has(path));
      const changed = [...is].filter(([path, { oid, mode }]) => {
        const former = was.get(path);
        return former?.oid !== oid || former.mode !== mode;
      });
      return [
        ...gone.map(([path, file]) => ({ kind: 'removed', path, before: file }) as const),
        ...changed.map(([path, file]) => {
          const former = was.get(path);
          return former
            ? ({ kind: 'modified', path, before: former, after: file } as const)
            : ({ kind: 'added', path, after: file } as const);
        }),
      ];
    },
    async blob(oid) {
      const { code, out, said } = await git.run(['cat-file', 'blob', oid]);
      if (code === 0) return out;
      throw new AgentError('GIT_NOT_FOUND', `git cat-file: ${said.slice(0, 200)}`);
    },
    async blobs(oids, take, isWanted = () => true) {
      const wanted = [...oids];
      if (wanted.length === 0) return;
      const { code, out, said } = await git.run(['cat-file', '--batch'], { input: `${wanted.join('\n')}\n` });
      if (code !== 0) throw new AgentError('GIT_PROTOCOL', `git cat-file: ${said.slice(0, 200)}`);
      let at = 0;
      for (const oid of wanted) {
        const end = out.indexOf(0x0a, at);
        const [, kind, size] = out.toString('utf8', at, end).split(' ');
        if (end < 0 || kind !== 'blob') throw new AgentError('GIT_NOT_FOUND', `git has no file ${oid}`);
        const content = out.subarray(end + 1, end + 1 + Number(size));
        at = end + 2 + Number(size);
        if (isWanted(oid, content.length)) await take(oid, content);
      }
    },
  };
}

async function readTree(git: GitProgram, at: Revision): Promise<ReadonlyMap<string, TreeFile>> {
  const text = await git.text(['ls-tree', '-r', '-z', '--full-tree', at]);
  const files = new Map<string, TreeFile>();
  for (const entry of text.split('\0')) {
    const tab = entry.indexOf('\t');
    const [mode = '', kind, oid = ''] = entry.slice(0, tab).split(' ');
    if (kind === 'blob') files.set(entry.slice(tab + 1), { mode, oid });
  }
  return files;
}

/** The files as they stand in a checkout, those that are not committed included, and none that are ignored: a tree of git's. */
export async function standingTree(git: GitProgram, indexFile: string): Promise<Revision> {
  const variables = { GIT_INDEX_FILE: indexFile };
  await git.text(['read-tree', 'HEAD'], { variables });
  await git.text(['add', '--all', ':/'], { variables });
  return asRevision(await git.text(['write-tree'], { variables }));
}
