import { rm } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import { openRepo } from '../git/open-repo.ts';

/*
 * A process of its own that does what the agent does with Git, so that its time and memory are nobody else's. Told on its command line:
 * the repository's URL and a folder. A line on its standard input is an order, a line of JSON on its standard output the answer.
 */

const never = new AbortController().signal;
const [, , url = '', dir = ''] = process.argv;
/** Node has compiled by then what it compiles. */
const warmUps = 3;
const author = { name: 'Bench', email: 'bench@example.com' };

/** As it was seen last. */
let tip: Awaited<ReturnType<Repo['poll']>>;

const orders: Orders = {
  async clone(repo) {
    await repo.fetch(await tipOf(repo), never);
  },
  async poll(repo) {
    await tipOf(repo);
  },
  async fetch(repo) {
    await repo.fetch(await tipOf(repo), never);
  },
  async push(repo) {
    const expected = await tipOf(repo);
    await repo.fetch(expected, never);
    const files = new Map([['bench.txt', String(performance.now())]]);
    const commits = [{ files, message: 'bench', author: { ...author, atMs: Date.now() } }];
    const { kind } = await repo.push({ expected, commits, tags: [] }, never);
    if (kind !== 'landed') throw new Error(`the push was ${kind}`);
  },
  read: readAll,
  'clone-again': cloneElsewhere,
  'read-again': readAll,
};

/** What is done before an order, so that its code is as quick as it is in a process that has been at it for a while. */
const before = new Map(
  Object.entries<(repo: Repo) => Promise<void>>({
    async 'clone-again'(repo) {
      for (let time = 1; time <= warmUps; time += 1) {
        await cloneElsewhere();
        await readAll(repo);
      }
    },
  }),
);

async function cloneElsewhere(): Promise<void> {
  const other = await openRepo({ url, branch: 'main', dir: `${dir}-again` });
  try {
    await other.fetch(await tipOf(other), never);
  } finally {
    await other.close();
    await rm(`${dir}-again`, { recursive: true, force: true });
  }
}

async function readAll(repo: Repo): Promise<void> {
  // Native git asks no server either.
  const tree = await repo.tree(tip ?? (await tipOf(repo)), '');
  let bytes = 0;
  await repo.blobs(
    [...tree.values()].map(({ oid }) => oid),
    (_oid, content) => {
      bytes += content?.length ?? 0;
      return Promise.resolve();
    },
  );
  if (bytes === 0) throw new Error('nothing was read');
}

const byName = new Map(Object.entries(orders));

type Orders = Readonly<Record<string, (repo: Repo) => Promise<void>>>;
type Repo = Awaited<ReturnType<typeof openRepo>>;

async function tipOf(repo: Repo): Promise<NonNullable<Awaited<ReturnType<Repo['poll']>>>> {
  const found = await repo.poll(never);
  if (found === undefined) throw new Error('the branch is gone');
  tip = found;
  return found;
}

await rm(dir, { recursive: true, force: true });
const repo = await openRepo({ url, branch: 'main', dir });
process.stdin.setEncoding('utf8');
let rest = '';
for await (const chunk of process.stdin as AsyncIterable<string>) {
  const lines = `${rest}${chunk}`.split('\n');
  rest = lines.pop() ?? '';
  for (const line of lines) {
    await before.get(line)?.(repo);
    const startedMs = performance.now();
    const used = process.cpuUsage();
    await byName.get(line)?.(repo);
    const cpu = process.cpuUsage(used);
    const answer = {
      ms: performance.now() - startedMs,
      cpuMs: (cpu.user + cpu.system) / 1_000,
      peakMib: process.resourceUsage().maxRSS / 1_024,
    };
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
}
await repo.close();
