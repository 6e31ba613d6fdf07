import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { spawn } from './spawn.ts';

const unset = [
  'GIT_DIR',
  'GIT_WORK_TREE',
  'GIT_INDEX_FILE',
  'GIT_OBJECT_DIRECTORY',
  'GIT_PROTOCOL',
  'GIT_QUARANTINE_PATH',
];

const settings: Readonly<Record<string, string>> = {
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_TERMINAL_PROMPT: '0',
  LC_ALL: 'C',
};

/** An environment for git in which it sees no configuration of the user or machine and no repository of a surrounding hook. */
export function hermeticEnvironment(variables: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !unset.includes(name));
  return { ...Object.fromEntries(inherited), ...settings, ...variables };
}

/** Runs native git; gives its standard output, rejects with what it said on standard error. */
export function runGit(
  args: readonly string[],
  input: string | Uint8Array = '',
  variables: Readonly<Record<string, string>> = {},
): Promise<string> {
  return new Promise((done, fail) => {
    const child = spawn('git', args, { env: hermeticEnvironment(variables) });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.on('error', fail);
    child.on('close', (code) => {
      if (code === 0) return done(Buffer.concat(out).toString('utf8'));
      fail(new Error(`git ${args.join(' ')} failed (${code}): ${Buffer.concat(err).toString('utf8').trim()}`));
    });
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}

export interface GitCommit {
  /** Path to content; null removes the file. */
  readonly files: Readonly<Record<string, string | Uint8Array | null>>;
  readonly message: string;
  /** Default main. */
  readonly branch?: string;
  readonly author?: string;
  /** Seconds since the epoch; default now. */
  readonly atSeconds?: number;
  /** Full names of refs that the new commit gets as further parents. */
  readonly merge?: readonly string[];
  /** Path to Git mode where it is not 100644. */
  readonly modes?: Readonly<Record<string, string>>;
}

/** Commits to a bare repository with native git (`fast-import`), without a checkout. Gives the commit's id. */
export async function commitWithGit(repoPath: string, commit: GitCommit): Promise<string> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await commitOnTip(repoPath, commit);
    } catch (error) {
      // Somebody was faster: a person would pull and push again.
      if (tries === 5 || !/does not contain|cannot lock ref/.test(String(error))) throw error;
    }
  }
}

async function commitOnTip(repoPath: string, commit: GitCommit): Promise<string> {
  const ref = `refs/heads/${commit.branch ?? 'main'}`;
  const tip = await tipOf(repoPath, ref);
  const who = `${commit.author ?? 'Ada Operator <ada@example.com>'} ${commit.atSeconds ?? Math.floor(Date.now() / 1000)} +0000`;
  const parts: (string | Uint8Array)[] = [
    `commit ${ref}\nmark :1\nauthor ${who}\ncommitter ${who}\n`,
    `data ${Buffer.byteLength(commit.message)}\n${commit.message}\n`,
    tip ? `from ${tip}\n` : '',
    ...(commit.merge ?? []).map((parent) => `merge ${parent}\n`),
  ];
  for (const [path, content] of Object.entries(commit.files)) {
    if (content === null) parts.push(`D ${path}\n`);
    else
      parts.push(
        `M ${commit.modes?.[path] ?? '100644'} inline ${path}\ndata ${Buffer.byteLength(content)}\n`,
        content,
        '\n',
      );
  }
  parts.push(`get-mark :1\n`);
  const script = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));

  return (await runGit(['-C', repoPath, 'fast-import', '--quiet'], script)).trim();
}

/** Undefined: there is no such ref. */
async function tipOf(repoPath: string, ref: string): Promise<string | undefined> {
  const loose = await readFile(join(repoPath, ref), 'utf8').catch(() => '');
  if (/^[0-9a-f]{40,64}\n$/.test(loose)) return loose.trim();
  // Packed, symbolic, in another format, or a checkout's.
  return (await runGit(['-C', repoPath, 'for-each-ref', '--format=%(objectname)', ref])).trim() || undefined;
}
