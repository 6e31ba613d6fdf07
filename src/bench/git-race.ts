import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { openRepo } from '../git/open-repo.ts';
import { asRevision } from '../git/repo.ts';
import { systemClock } from '../lib/clock.ts';
import { silentLogger } from '../lib/log.ts';
import type { Outcome } from '../release/types.ts';
import { createOutcomeWriter } from '../release/writer.ts';
import { commitWithGit, hermeticEnvironment, runGit } from '../sandbox/git-command.ts';
import { type GitServer, startGitServer } from '../sandbox/git-server.ts';
import { type Measured, spreadOf } from './spread.ts';

const latencyMs = 100;
const foreignEveryMs = 500;
const rounds = 5;
/** After so long a loop of native git is given up. */
const patienceMs = 15_000;
const pushers = 20;
const raceSeconds = 30;
const crowds = 3;

/** How long outcomes take, and how many there are, where others push without end: beside loops of native git. */
export async function gitRace(signal: AbortSignal): Promise<readonly Measured[]> {
  const root = await mkdtemp(join(tmpdir(), 'serin-bench-'));
  const server = await startGitServer({ root: join(root, 'git'), isDurable: true });
  try {
    return [...(await againstPushes(server, root, signal)), ...(await amongPushers(server, root, signal))];
  } finally {
    await server.stop();
    await rm(root, { recursive: true, force: true });
  }
}

async function againstPushes(server: GitServer, root: string, signal: AbortSignal): Promise<readonly Measured[]> {
  const bare = await server.createRepo('steady', { files: { 'README.md': 'hello\n' } });
  const url = server.repoUrl('steady');
  const native = join(root, 'steady');
  await runGit(['clone', '--quiet', '--bare', url, native]);
  const writing = await startWriting(url, join(root, 'steady-mirror'));
  let isOver = false;
  const foreign = (async () => {
    for (let count = 0; !isOver; count += 1) {
      const nextMs = performance.now() + foreignEveryMs;
      await commitWithGit(bare, { files: { 'foreign.txt': `${count}\n` }, message: `foreign ${count}` });
      await new Promise((done) => setTimeout(done, nextMs - performance.now()));
    }
  })();
  server.faults.inject({ kind: 'slow', delayMs: latencyMs });
  const ours: number[] = [];
  const theirs: number[] = [];
  try {
    for (let round = 0; round < rounds; round += 1) {
      signal.throwIfAborted();
      const tip = (await runGit(['-C', bare, 'rev-parse', 'main'])).trim();
      ours.push(await writing.write(tip));
      const startedMs = performance.now();
      // On a busy machine it may never be quick enough.
      while (!(await pushOnce(native, url)) && performance.now() - startedMs < patienceMs) signal.throwIfAborted();
      theirs.push(performance.now() - startedMs);
    }
  } finally {
    isOver = true;
    await foreign;
    server.faults.clear();
    await writing.stop();
  }
  const what = 'against two foreign pushes a second and 100 ms of latency: until an outcome is written';
  return [
    { what, unit: ' ms', spread: spreadOf(ours), goal: { kind: 'below', value: 3_000 } },
    {
      what: `  until a loop of native git has pushed, at most ${patienceMs / 1_000} s`,
      unit: ' ms',
      spread: spreadOf(theirs),
    },
  ];
}

async function amongPushers(server: GitServer, root: string, signal: AbortSignal): Promise<readonly Measured[]> {
  const landed: number[] = [];
  const shares: number[] = [];
  for (let round = 0; round < crowds; round += 1) {
    const { ours, theirs } = await oneCrowd(server, root, `crowd-${round}`, signal);
    landed.push(...theirs);
    const share = (ours + theirs.reduce((sum, count) => sum + count, 0)) / (pushers + 1);
    shares.push(share === 0 ? 0 : ours / share);
  }
  return [
    {
      what: `among ${pushers} that retry at once, ${raceSeconds} s: pushes of each`,
      unit: '',
      spread: spreadOf(landed),
    },
    {
      what: '  outcomes, in fair shares',
      unit: '',
      spread: spreadOf(shares),
      goal: { kind: 'at least', value: 1 },
    },
  ];
}

/** How many pushes of ours and of each other landed. */
async function oneCrowd(
  server: GitServer,
  root: string,
  name: string,
  signal: AbortSignal,
): Promise<{ readonly ours: number; readonly theirs: readonly number[] }> {
  const bare = await server.createRepo(name, { files: { 'README.md': 'hello\n' } });
  const url = server.repoUrl(name);
  const writing = await startWriting(url, join(root, `${name}-mirror`));
  const untilMs = performance.now() + raceSeconds * 1_000;
  const others = Array.from({ length: pushers }, async (_, index) => {
    const native = join(root, `${name}-${index}`);
    await runGit(['clone', '--quiet', '--bare', url, native]);
    let landed = 0;
    while (performance.now() < untilMs && !signal.aborted) if (await pushOnce(native, url)) landed += 1;
    return landed;
  });
  const tip = (await runGit(['-C', bare, 'rev-parse', 'main'])).trim();
  let ours = 0;
  try {
    while (performance.now() < untilMs && !signal.aborted) {
      const tookMs = await Promise.race([writing.write(tip), over(untilMs)]);
      if (tookMs !== undefined) ours += 1;
    }
  } finally {
    await writing.stop();
  }
  return { ours, theirs: await Promise.all(others) };
}

const over = async (atMs: number): Promise<undefined> => {
  await new Promise((done) => setTimeout(done, Math.max(0, atMs - performance.now())));
  return undefined;
};

interface Writing {
  /** Milliseconds until the next outcome, of a release at this commit, is written. */
  write(revision: string): Promise<number>;
  stop(): Promise<void>;
}

/** The agent's own writer on a mirror of its own. */
async function startWriting(url: string, dir: string): Promise<Writing> {
  const repo = await openRepo({ url, branch: 'main', dir });
  const writer = createOutcomeWriter({
    repo,
    clock: systemClock,
    log: silentLogger,
    settings: {
      path: '',
      ledgerDir: '.releases',
      tagPrefix: 'releases/',
      defaultNamespace: 'default',
      author: { name: 'Serin', email: 'serin@localhost' },
      cluster: '',
      agentVersion: 'bench',
      write: 'direct',
    },
  });
  const ending = new AbortController();
  const running = writer.run(ending.signal);
  const waiting = new Map<string, () => void>();
  writer.onWritten(({ releaseId }) => waiting.get(releaseId)?.());
  let count = 0;
  return {
    async write(revision) {
      count += 1;
      const outcome = promotionOf(count, revision);
      const startedMs = performance.now();
      const written = new Promise<void>((done) => waiting.set(outcome.releaseId, done));
      writer.submit(outcome);
      await written;
      return performance.now() - startedMs;
    },
    async stop() {
      ending.abort(new Error('measured'));
      await running;
      await repo.close();
    },
  };
}

function promotionOf(number: number, at: string): Outcome {
  const revision = asRevision(at);
  const content = number.toString(16).padStart(16, '0');
  return {
    app: { namespace: 'bench', name: `app-${number}` },
    releaseId: number.toString(16).padStart(20, '0'),
    verdict: 'promoted',
    atMs: Date.now(),
    startedAtMs: Date.now() - 60_000,
    state: { revision, images: { app: `app:${number}` }, templateHash: content, configs: {}, content },
    base: revision,
    evidence: [],
    supersedes: [],
  };
}

/** One attempt of a script: fetch, commit, push. False: somebody else was quicker. */
async function pushOnce(dir: string, url: string): Promise<boolean> {
  const script =
    `cd ${dir} && git fetch --quiet ${url} +refs/heads/main:refs/heads/main && ` +
    `git push --quiet ${url} $(git -c user.name=b -c user.email=b@example.com commit-tree -m $RANDOM -p refs/heads/main 'refs/heads/main^{tree}'):refs/heads/main`;
  const child = spawn('bash', ['-c', script], { env: hermeticEnvironment(), stdio: 'ignore' });
  const [code] = (await once(child, 'close')) as [number | null];
  return code === 0;
}
