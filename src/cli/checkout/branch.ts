import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asRevision, type CommitDraft, type Revision } from '../../git/repo.ts';
import { AgentError } from '../../lib/errors.ts';
import { isSameRepositoryUrl } from '../../render/same-url.ts';
import { placeIn } from '../repository-root.ts';
import { objectsOf, standingTree } from './objects.ts';
import { type GitProgram, gitIn, saidBy } from './program.ts';

export interface BranchWish {
  /** Absent: that of the settings file, else that which the current one follows. */
  readonly branch?: string;
  /** Of the settings file; undefined: it names none, or there is no such file. */
  readonly configured: { readonly url: string; readonly branch: string } | undefined;
}

/** What a push came to. `raced`: somebody was faster, nothing was written. `refused`: by the server, in its words. */
type Pushed =
  | { readonly kind: 'landed' }
  | { readonly kind: 'raced' }
  | { readonly kind: 'refused'; readonly reason: string };

/** A branch on a server, as the caller may read it and write to it. */
export interface RemoteBranch {
  /** `origin/main` */
  readonly name: string;
  readonly objects: ReturnType<typeof objectsOf>;
  /** Where the command was run, from the repository's root; undefined: elsewhere. */
  readonly here: string | undefined;
  /** Asks the server. Throws GIT_PROTOCOL with git's words. */
  tip(): Promise<Revision>;
  /** The files as they stand in the checkout; undefined: there is none. */
  standing(): Promise<Revision | undefined>;
  /** Why these files cannot be changed on the branch without confusing whoever works in the checkout; undefined: they can. */
  obstacle(tip: Revision, paths: readonly string[]): Promise<string | undefined>;
  /** Commits of first parents, newest first. */
  log(from: Revision, limit: number): Promise<readonly LoggedCommit[]>;
  /** Tags on the server, by the commit that they point to. */
  tags(): Promise<ReadonlyMap<string, readonly string[]>>;
  /** Whether a commit is `of` or one of those before it; also an abbreviated one. False where it is not known here. */
  isBefore(commit: string, of: string): Promise<boolean>;
  /** Why the caller may not push; undefined: he may, as far as the server says beforehand. */
  mayPush(tip: Revision): Promise<string | undefined>;
  /** The caller's name. Throws CONFIG_INVALID where git knows none. */
  author(): Promise<string>;
  /** A commit of the caller's, with the caller's name and signature. */
  commit(tip: Revision, draft: Omit<CommitDraft, 'author'>): Promise<Revision>;
  /** What a commit changes, as git shows it. */
  shown(commit: Revision): Promise<string>;
  push(tip: Revision, commit: Revision): Promise<Pushed>;
  /** Brings the checkout there, where nothing is in the way. Gives why not; undefined: it is there, or there is no checkout of the branch. */
  follow(commit: Revision): Promise<string | undefined>;
  close(): Promise<void>;
}

interface LoggedCommit {
  readonly revision: string;
  readonly atMs: number;
  readonly author: string;
  readonly message: string;
}

interface Place {
  readonly git: GitProgram;
  readonly remote: string;
  readonly branch: string;
  readonly here: string | undefined;
  /** The branch that is checked out and follows this one; undefined: none. */
  readonly isCheckedOut: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The branch that is worked on: of the checkout in which the command is run, or, where the settings file names another repository, of a clone that
 * is made for the moment. `isWritten`: it has to be certain that it is the one that is followed. Throws CONFIG_INVALID where it cannot be told.
 */
export async function openBranch(
  wish: BranchWish,
  { environment, signal, folder = process.cwd() }: { environment: Environment; signal: AbortSignal; folder?: string },
  isWritten: boolean,
): Promise<RemoteBranch> {
  const scratch = await mkdtemp(join(tmpdir(), 'serin-images-'));
  const close = (): Promise<void> => rm(scratch, { recursive: true, force: true });
  try {
    const here = await checkedOut(wish, gitIn(folder, environment, signal), folder, isWritten);
    const place = here ?? (await cloned(wish, scratch, environment, signal));
    return branchAt(place, scratch, close);
  } catch (error) {
    await close();
    throw error;
  }
}

/** Undefined: the command is not run in a checkout of the repository. */
async function checkedOut(
  { branch: named, configured }: BranchWish,
  git: GitProgram,
  folder: string,
  isWritten: boolean,
): Promise<Place | undefined> {
  const { code, out } = await git.run(['rev-parse', '--show-toplevel']);
  if (code !== 0) return undefined;
  const root = out.toString('utf8').trim();
  const remotes = (await git.text(['remote'])).split('\n').filter((name) => name !== '');
  const urls = new Map<string, string>();
  for (const name of remotes) urls.set(name, await git.text(['remote', 'get-url', name]));
  const current = (await git.run(['symbolic-ref', '--short', '-q', 'HEAD'])).out.toString('utf8').trim();
  const settingOf = async (name: string): Promise<string> =>
    current === '' ? '' : (await git.run(['config', `branch.${current}.${name}`])).out.toString('utf8').trim();
  const upstream = { remote: await settingOf('remote'), branch: (await settingOf('merge')).replace('refs/heads/', '') };
  const isHere = (remote: string, branch: string): boolean => upstream.remote === remote && upstream.branch === branch;
  const here = placeIn(await realpath(root), await realpath(folder));
  const at = (remote: string, branch: string): Place => ({
    git,
    remote,
    branch,
    here,
    isCheckedOut: isHere(remote, branch),
  });
  if (configured && configured.url !== '') {
    const remote = [...urls].find(([, url]) => isSameRepositoryUrl(url, configured.url))?.[0];
    return remote === undefined ? undefined : at(remote, named ?? configured.branch);
  }
  const [only] = remotes;
  if (only === undefined)
    throw usage(
      'this checkout has no remote, so nobody would read what is committed: git remote add, or --config with git-url',
    );
  const remote = remotes.includes(upstream.remote) ? upstream.remote : remotes.includes('origin') ? 'origin' : only;
  const branch = named ?? configured?.branch;
  if (branch !== undefined) return at(remote, branch);
  if (current === '') throw usage('no branch is checked out here: name the one that the agent follows with --branch');
  if (upstream.remote !== remote || upstream.branch === '')
    throw usage(`the branch ${current} follows none on a server: name the one that the agent follows with --branch`);
  const head = await git.run(['symbolic-ref', '--short', '-q', `refs/remotes/${remote}/HEAD`]);
  const usual = head.out.toString('utf8').trim().replace(`${remote}/`, '');
  if (isWritten && usual !== '' && usual !== upstream.branch)
    throw usage(
      `it is not clear which branch the agent follows: ${upstream.branch} is checked out, and ${remote} has ${usual} as its own: name it with --branch`,
    );
  return at(remote, upstream.branch);
}

async function cloned(
  { branch, configured }: BranchWish,
  scratch: string,
  environment: Environment,
  signal: AbortSignal,
): Promise<Place> {
  if (!configured || configured.url === '')
    throw usage(
      "this is no checkout of the repository that the agent follows: go there, or name the agent's settings file with --config",
    );
  const folder = join(scratch, 'clone');
  const git = gitIn(scratch, environment, signal);
  const named = branch ?? configured.branch;
  await git.text(['clone', '--quiet', '--bare', '--single-branch', '--branch', named, '--', configured.url, folder]);
  return {
    git: gitIn(folder, environment, signal),
    remote: 'origin',
    branch: named,
    here: undefined,
    isCheckedOut: false,
  };
}

/** Git's words for a ref that is not as it was. */
const races =
  /stale info|fetch first|non-fast-forward|cannot lock ref|failed to update ref|failed to lock|incorrect old value|reference already exists/;

function branchAt(place: Place, scratch: string, close: () => Promise<void>): RemoteBranch {
  const { git, remote, branch, isCheckedOut } = place;
  const tracking = `refs/remotes/${remote}/${branch}`;
  const objects = objectsOf(git);
  const tip = async (): Promise<Revision> => {
    await git.text([
      'fetch',
      '--quiet',
      '--no-tags',
      '--no-write-fetch-head',
      remote,
      `+refs/heads/${branch}:${tracking}`,
    ]);
    return asRevision(await git.text(['rev-parse', '--verify', `${tracking}^{commit}`]));
  };
  const isAncestor = async (one: string, of: string): Promise<boolean> =>
    (await git.run(['merge-base', '--is-ancestor', one, of])).code === 0;
  let indexes = 0;
  const newIndex = (): string => join(scratch, `index-${(indexes += 1)}`);
  return {
    name: `${remote}/${branch}`,
    objects,
    here: place.here,
    tip,
    standing: async () => (place.here === undefined ? undefined : standingTree(git, newIndex())),
    async obstacle(at, paths) {
      if (!isCheckedOut) return undefined;
      const changed = await git.text([
        'status',
        '--porcelain',
        '--no-renames',
        '--',
        ...paths.map((path) => `:/${path}`),
      ]);
      const [first] = changed.split('\n').filter((line) => line !== '');
      if (first !== undefined)
        return `${first.slice(3)} has changes here that are not committed: commit them, or take them back, and try again`;
      const base = (await git.run(['merge-base', 'HEAD', at])).out.toString('utf8').trim();
      if (base === '') return `what is checked out here has no history in common with ${remote}/${branch}`;
      const ahead = await git.text(['diff', '--name-only', base, 'HEAD', '--', ...paths.map((path) => `:/${path}`)]);
      const [path] = ahead.split('\n').filter((line) => line !== '');
      return path === undefined
        ? undefined
        : `${path} has commits here that are not pushed to ${remote}/${branch}: push them, and try again`;
    },
    async log(from, limit) {
      const text = await git.text([
        'log',
        '-z',
        '--first-parent',
        `--max-count=${limit}`,
        '--format=%H%n%ct%n%an%n%B',
        from,
        '--',
      ]);
      return text.split('\0').flatMap((entry): LoggedCommit[] => {
        const [revision = '', seconds = '', author = '', ...lines] = entry.split('\n');
        return revision === '' ? [] : [{ revision, atMs: Number(seconds) * 1_000, author, message: lines.join('\n') }];
      });
    },
    async tags() {
      const listed = await git.text(['ls-remote', '--tags', remote]);
      const byName = new Map<string, string>();
      for (const line of listed.split('\n')) {
        const [oid = '', ref = ''] = line.split('\t');
        // A peeled one comes behind the tag itself, and takes its place.
        if (ref !== '') byName.set(ref.replace('refs/tags/', '').replace('^{}', ''), oid);
      }
      const found = new Map<string, string[]>();
      for (const [name, oid] of byName) found.set(oid, [...(found.get(oid) ?? []), name]);
      return found;
    },
    async mayPush(at) {
      const { code, said } = await git.run(['push', '--dry-run', '--quiet', remote, `${at}:refs/heads/${branch}`]);
      return code === 0 ? undefined : saidBy(said) || 'the server refuses';
    },
    isBefore: (commit, of) => isAncestor(commit, of),
    async author() {
      const { code, out } = await git.run(['var', 'GIT_AUTHOR_IDENT']);
      const name = out.toString('utf8').split(' <', 1)[0] ?? '';
      if (code === 0 && name !== '') return name;
      throw usage('git does not know who you are: git config --global user.name NAME, and user.email, and try again');
    },
    async commit(at, { files, message }) {
      const variables = { GIT_INDEX_FILE: newIndex() };
      await git.text(['read-tree', at], { variables });
      const entries = await objects.tree(at, '');
      const lines: string[] = [];
      for (const [path, content] of files) {
        const mode = entries.get(path)?.mode ?? '100644';
        const oid = content === null ? '' : await git.text(['hash-object', '-w', '--stdin'], { input: content });
        lines.push(content === null ? `0 ${'0'.repeat(40)}\t${path}` : `${mode} ${oid}\t${path}`);
      }
      await git.text(['update-index', '-z', '--index-info'], { variables, input: `${lines.join('\0')}\0` });
      const tree = await git.text(['write-tree'], { variables });
      const isSigned = (await git.run(['config', '--type=bool', 'commit.gpgSign'])).out.toString('utf8').trim();
      const signing = isSigned === 'true' ? ['-S'] : [];
      return asRevision(await git.text(['commit-tree', ...signing, tree, '-p', at, '-F', '-'], { input: message }));
    },
    shown: (commit) => git.text(['show', '--format=Author: %an <%ae>%n%n%B', '--no-color', '--no-ext-diff', commit]),
    async push(at, commit) {
      const { code, out, said } = await git.run([
        'push',
        '--porcelain',
        `--force-with-lease=refs/heads/${branch}:${at}`,
        remote,
        `${commit}:refs/heads/${branch}`,
      ]);
      if (code === 0) return { kind: 'landed' };
      const line = out
        .toString('utf8')
        .split('\n')
        .find((one) => one.startsWith('!'));
      if (line === undefined) {
        // Whether it has landed is not known: the server tells.
        const now = await tip().catch(() => undefined);
        if (now !== undefined && (await isAncestor(commit, now))) return { kind: 'landed' };
        return { kind: 'refused', reason: saidBy(said) || 'the push failed' };
      }
      const reason = line.split('\t')[2] ?? line;
      if (races.test(reason)) return { kind: 'raced' };
      const remotely = said
        .split('\n')
        .filter((one) => one.startsWith('remote:'))
        .map((one) => one.slice(7).trim())
        .filter((one) => one !== '');
      return { kind: 'refused', reason: [reason, ...remotely].join('; ').slice(0, 800) };
    },
    async follow(commit) {
      if (!isCheckedOut) return undefined;
      if (!(await isAncestor('HEAD', commit)))
        return 'what is checked out here has commits that are not pushed: git pull --rebase brings both together';
      const { code, said } = await git.run(['merge', '--ff-only', '--quiet', commit]);
      return code === 0 ? undefined : `what is checked out here stays behind: ${saidBy(said)}`;
    },
    close,
  };
}

const usage = (message: string): AgentError => new AgentError('CONFIG_INVALID', message);
