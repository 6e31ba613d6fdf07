import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { commitWithGit, hermeticEnvironment, runGit } from '../sandbox/git-command.ts';
import { type GitServer, startGitServer } from '../sandbox/git-server.ts';
import { fillLargeRepo, largeRepoManifest, largeRepoPath } from '../sandbox/large-repo.ts';
import { type Goal, type Measured, spreadOf } from './spread.ts';

const sizes = [1_000, 10_000, 100_000];
/** A round of few files is short, and one of many is long. */
const roundsOf = (files: number): number => (files > 10_000 ? 3 : 7);

interface Used {
  readonly ms: number;
  readonly cpuMs: number;
  readonly peakMib: number;
}

type Work = 'clone' | 'poll' | 'fetch' | 'push' | 'read' | 'clone-again' | 'read-again';
const works: readonly Work[] = ['clone', 'poll', 'fetch', 'push', 'read', 'clone-again', 'read-again'];
const said: Readonly<Record<Work, string>> = {
  clone: 'clone the tip, as a process does that has just begun',
  poll: 'poll',
  fetch: 'poll and fetch one commit',
  push: 'push one commit',
  read: 'read all files, for the first time',
  'clone-again': 'clone the tip, as a process does that has done so before',
  'read-again': 'read all files, likewise',
};
const goals: Partial<Readonly<Record<Work, Goal>>> = {
  clone: { kind: 'below', value: 2 },
  read: { kind: 'below', value: 3 },
  'clone-again': { kind: 'below', value: 2 },
  'read-again': { kind: 'below', value: 3 },
};

/** The agent's Git beside native git, turn by turn on the same repositories; each in a process of its own. */
export async function gitTable(signal: AbortSignal): Promise<readonly Measured[]> {
  const root = await mkdtemp(join(tmpdir(), 'serin-bench-'));
  const server = await startGitServer({ root: join(root, 'git'), isDurable: true });
  try {
    const measured: Measured[] = [];
    for (const files of sizes) measured.push(...(await beside(server, root, files, signal)));
    return measured;
  } finally {
    await server.stop();
    await rm(root, { recursive: true, force: true });
  }
}

async function beside(server: GitServer, root: string, files: number, signal: AbortSignal): Promise<Measured[]> {
  const name = `of-${files}`;
  const bare = await server.createRepo(name);
  await fillLargeRepo(bare, { files });
  await runGit(['-C', bare, 'repack', '-adq']);
  const ours = new Map<Work, Used[]>();
  const theirs = new Map<Work, Used[]>();
  for (let round = 1; round <= roundsOf(files); round += 1) {
    const client = startClient(server.repoUrl(name), join(root, 'mirror'));
    const native = join(root, 'native');
    await rm(native, { recursive: true, force: true });
    try {
      for (const work of works) {
        signal.throwIfAborted();
        if (work === 'fetch') {
          const at = (round * 7_919) % files;
          const changed = { [largeRepoPath(at)]: largeRepoManifest(at, round) };
          await commitWithGit(bare, { files: changed, message: `change ${round}` });
        }
        append(theirs, work, await runNative(work, native, server.repoUrl(name)));
        append(ours, work, await client.order(work));
      }
    } finally {
      await client.stop();
    }
  }
  return works.flatMap((work) => rowsOf(work, files, ours.get(work) ?? [], theirs.get(work) ?? []));
}

function rowsOf(work: Work, files: number, ours: readonly Used[], theirs: readonly Used[]): Measured[] {
  const what = `${files.toLocaleString('en-US')} files: ${said[work]}`;
  const ratios = (of: (used: Used) => number): number[] =>
    ours.map((used, round) => of(used) / Math.max(of(theirs[round] ?? used), 1));
  const goal = goals[work];
  return [
    { what, unit: ' ms', spread: spreadOf(ours.map(({ ms }) => ms)) },
    { what: '  native git', unit: ' ms', spread: spreadOf(theirs.map(({ ms }) => ms)) },
    { what: '  time', unit: '× native', spread: spreadOf(ratios(({ ms }) => ms)), ...(goal ? { goal } : {}) },
    // What others do on the machine has a part in the time of both.
    { what: '  CPU', unit: '× native', spread: spreadOf(ratios(({ cpuMs }) => cpuMs)) },
    { what: '  most memory', unit: ' MiB', spread: spreadOf(ours.map(({ peakMib }) => peakMib)) },
    { what: '  native git', unit: ' MiB', spread: spreadOf(theirs.map(({ peakMib }) => peakMib)) },
  ];
}

function append(map: Map<Work, Used[]>, work: Work, used: Used): void {
  const known = map.get(work);
  if (known) known.push(used);
  else map.set(work, [used]);
}

interface Client {
  order(work: Work): Promise<Used>;
  stop(): Promise<void>;
}

const program = fileURLToPath(new URL('git-client.js', import.meta.url));
/** As the image runs it. */
const nodeFlags = ['--max-semi-space-size=8', '--max-old-space-size=384', '--single-threaded-gc'];

function startClient(url: string, dir: string): Client {
  const child = spawn(process.execPath, [...nodeFlags, program, url, dir], { stdio: ['pipe', 'pipe', 'inherit'] });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ended = once(child, 'exit');
  return {
    async order(work) {
      child.stdin.write(`${work}\n`);
      const answer = await answers.next();
      if (answer.done) throw new Error(`the process that works with Git has ended at: ${work}`);
      return JSON.parse(answer.value) as Used;
    },
    async stop() {
      child.stdin.end();
      await ended;
    },
  };
}

const readAll = (dir: string): string =>
  `git -C ${dir} ls-tree -r --format='%(objectname)' refs/heads/main | git -C ${dir} cat-file --batch > /dev/null`;

const cloneInto = (dir: string, url: string): string =>
  `git clone --quiet --bare --depth 1 --single-branch ${url} ${dir}`;

/** What a script would run for it. */
const scripts: Readonly<Record<Work, (dir: string, url: string) => string>> = {
  clone: cloneInto,
  poll: (_dir, url) => `git ls-remote --quiet ${url} refs/heads/main`,
  fetch: (dir, url) => `git -C ${dir} fetch --quiet ${url} +refs/heads/main:refs/heads/main`,
  push: (dir, url) =>
    `cd ${dir} && commit=$(git -c user.name=b -c user.email=b@example.com commit-tree -m bench -p refs/heads/main 'refs/heads/main^{tree}') && ` +
    `git push --quiet ${url} $commit:refs/heads/main && git update-ref refs/heads/main $commit`,
  read: readAll,
  'clone-again': (dir, url) => `${cloneInto(`${dir}-again`, url)} && rm -rf ${dir}-again`,
  'read-again': readAll,
};

async function runNative(work: Work, dir: string, url: string): Promise<Used> {
  const timed = `TIMEFORMAT='%R %U %S'; time ( ${scripts[work](dir, url)} )`;
  const child = spawn('bash', ['-c', timed], {
    env: hermeticEnvironment(),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  let peakMib = 0;
  const watch = setInterval(() => {
    void memoryBelow(child.pid ?? 0).then((mib) => (peakMib = Math.max(peakMib, mib)));
  }, 20);
  const [code] = (await once(child, 'close')) as [number | null];
  clearInterval(watch);
  if (code !== 0) throw new Error(`native git could not ${said[work]}: ${text.trim()}`);
  const [seconds = 0, user = 0, system = 0] = text.trim().split('\n').at(-1)?.split(' ').map(Number) ?? [];
  return { ms: seconds * 1_000, cpuMs: (user + system) * 1_000, peakMib };
}

/** The most that one process below this one has had, as Linux tells; 0 elsewhere. */
async function memoryBelow(pid: number): Promise<number> {
  const read = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '');
  const [status, children] = [await read(`/proc/${pid}/status`), await read(`/proc/${pid}/task/${pid}/children`)];
  const own = Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1_024;
  const below = await Promise.all(
    children
      .split(' ')
      .filter(Boolean)
      .map((child) => memoryBelow(Number(child))),
  );
  return Math.max(own, ...below);
}
