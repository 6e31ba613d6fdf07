import { posix } from 'node:path';
import type { App } from '../../canary/app.ts';
import { asRevision, type GitRepo, type Revision, type TreeFile } from '../../git/repo.ts';
import { AgentError } from '../../lib/errors.ts';
import { type AppKey, partsOf } from '../../lib/key.ts';
import { plainText } from '../../lib/plain-text.ts';
import type { Manifest } from '../../manifest/types.ts';
import { ledgerPath } from '../../release/ledger.ts';
import { entriesOf } from '../../report/history.ts';
import type { HistoryCommit, HistoryEntry } from '../../report/types.ts';
import type { AgentDoor, CanaryText, ChangedFile } from '../../ui/questions.ts';
import { UiError } from '../../ui/told.ts';

/** The source of an app, as far as pages want to know it. */
export interface AppSource {
  readonly repo: Pick<GitRepo, 'log' | 'commit' | 'diff' | 'blob' | 'file' | 'has'>;
  /** As the last synced commit has it. Undefined: it has none. */
  readonly app: App | undefined;
  readonly synced: Revision | undefined;
  readonly places: { readonly path: string; readonly ledgerDir: string };
}

/** Commits that a history is looked for in. */
const mostCommits = 500;
const mostEntries = 100;
const mostFiles = 20;
const mostBytes = 131_072;
const mostTextLines = 600;

/** What Git tells of apps, read of the local mirror: no server is asked. */
export function createFromGit(
  sourceOf: (app: AppKey) => AppSource,
): Pick<AgentDoor, 'history' | 'changedBy' | 'textInGit'> {
  /** By repository, the history of the commit that was synced last. */
  const known = new WeakMap<object, { readonly tip: Revision; readonly commits: readonly HistoryCommit[] }>();
  /** What a commit says, read once. */
  const told = new WeakMap<HistoryCommit, readonly HistoryEntry[]>();
  const commitsOf = async ({ repo, synced }: AppSource): Promise<readonly HistoryCommit[]> => {
    if (synced === undefined) return [];
    const before = known.get(repo);
    if (before?.tip === synced) return before.commits;
    const former = new Map(before?.commits.map((commit) => [commit.revision, commit]));
    const commits = (await repo.log(synced, mostCommits)).map(
      ({ revision, author, message }): HistoryCommit =>
        former.get(revision) ?? { revision, atMs: author.atMs, author: author.name, message },
    );
    known.set(repo, { tip: synced, commits });
    return commits;
  };

  return {
    async history(app, { limit, before }) {
      const { namespace, name } = partsOf(app);
      const commits = await commitsOf(sourceOf(app));
      const byRevision = new Map(commits.map((commit) => [commit.revision, commit]));
      const first = before === undefined ? 0 : commits.findIndex(({ revision }) => revision === before) + 1;
      const found: HistoryEntry[] = [];
      for (const commit of commits.slice(first)) {
        const entries = told.get(commit) ?? entriesOf(commit, { commits: byRevision });
        told.set(commit, entries);
        for (const entry of entries) if (entry.namespace === namespace && entry.name === name) found.push(entry);
        if (found.length >= Math.min(limit, mostEntries)) break;
      }
      return found.slice(0, mostEntries);
    },
    async changedBy(app, revision) {
      const source = sourceOf(app);
      const { repo } = source;
      // Only what belongs to the history that was looked at: any other object of the repository is nobody's business here.
      const commits = await commitsOf(source);
      const commit = commits.find((one) => one.revision === revision);
      if (!commit) throw new UiError(404, 'That commit is not in the history that is known here.');
      const { parents } = await repo.commit(asRevision(revision));
      const [parent] = parents;
      if (parent === undefined) return { files: [], truncated: true };
      try {
        const changes = await repo.diff(parent, asRevision(revision), source.places.path);
        const isOwn = ownFiles(app, source);
        const own = changes.filter(({ path }) => isOwn(path));
        const files: ChangedFile[] = [];
        for (const change of own.slice(0, mostFiles)) {
          const before = change.kind === 'added' ? undefined : await textOf(repo, change.before);
          const after = change.kind === 'removed' ? undefined : await textOf(repo, change.after);
          files.push(shownFile(change.path, before, after));
        }
        return { files, truncated: own.length > files.length || changes.length > own.length };
      } catch (error) {
        if (error instanceof AgentError) throw new UiError(404, 'What that commit changed is not known here any more.');
        throw error;
      }
    },
    async textInGit(app): Promise<CanaryText['inGit']> {
      const source = sourceOf(app);
      const { repo, synced } = source;
      const origin = source.app?.canary.origin;
      if (!origin || synced === undefined) return undefined;
      const bytes = await repo.file(synced, origin.path);
      if (!bytes) return undefined;
      const text = Buffer.from(bytes).toString('utf8');
      return { path: plainText(origin.path), line: origin.line, text: documentAt(text, origin.line) };
    },
  };
}

/** Files that an app is made of: others of the same commit may be of namespaces that the reader may not see. */
function ownFiles(app: AppKey, { app: found, places }: AppSource): (path: string) => boolean {
  const paths = new Set([ledgerPath(places, partsOf(app))]);
  const folders = new Set<string>();
  const add = ({ origin }: Manifest): void => {
    if (origin.renderer === 'helm') {
      paths.add(origin.source.path);
      return;
    }
    paths.add(origin.path);
    // What kustomize changes of it stands beside the kustomization.
    if (origin.renderer === 'kustomize')
      folders.add(/\.ya?ml$/.test(origin.unit) ? posix.dirname(origin.unit) : origin.unit);
  };
  for (const manifest of found ? [found.canary, ...(found.target ? [found.target] : []), ...found.configs] : [])
    add(manifest);
  return (path) => paths.has(path) || folders.has(posix.dirname(path));
}

async function textOf(repo: AppSource['repo'], { oid }: TreeFile): Promise<string | null> {
  const bytes = await repo.blob(oid);
  return bytes.length > mostBytes ? null : Buffer.from(bytes).toString('utf8');
}

/** Null: it is too large. Values of Secrets are shown to nobody. */
export function shownFile(
  path: string,
  before: string | null | undefined,
  after: string | null | undefined,
): ChangedFile {
  const shown = plainText(path);
  if (before === null || after === null) return { path: shown, texts: 'not shown: it is too large' };
  if (hasSecret(before) || hasSecret(after)) return { path: shown, texts: 'not shown: it has a Secret in it' };
  return { path: shown, texts: { before: before && plainText(before), after: after && plainText(after) } };
}

const hasSecret = (text: string | undefined): boolean =>
  text !== undefined && /\bkind["']?[ \t]*:[ \t]*["']?Secret\b|secretGenerator/.test(text);

/** The document that begins at a line of a file, counted from one. */
function documentAt(text: string, line: number): string {
  const lines = text.split('\n');
  const from = Math.max(0, line - 1);
  const next = lines.findIndex((one, at) => at > from && one.startsWith('---'));
  const document = lines.slice(from, next < 0 ? undefined : next);
  return plainText(document.slice(0, mostTextLines).join('\n'));
}
