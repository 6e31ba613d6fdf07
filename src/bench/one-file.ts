import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { openRepo } from '../git/open-repo.ts';
import type { GitRepo, Revision, TreeFile } from '../git/repo.ts';
import { identityKey } from '../manifest/identity.ts';
import { isManifestFile, type LoadedTree, loadTree, missingTexts } from '../manifest/load.ts';
import { parseManifests } from '../manifest/parse.ts';
import { type Manifest, refOf } from '../manifest/types.ts';
import { commitWithGit, runGit } from '../sandbox/git-command.ts';
import { startGitServer } from '../sandbox/git-server.ts';
import { fillLargeRepo, largeRepoManifest, largeRepoPath } from '../sandbox/large-repo.ts';
import type { InventoryEntry } from '../sync/inventory.ts';
import { planSync, type SyncPlan } from '../sync/plan.ts';
import { createRender } from '../sync/render.ts';
import { type Measured, spreadOf } from './spread.ts';

const files = 10_000;
const rounds = 7;
const settings = { path: '', ledgerDir: '.releases', defaultNamespace: 'default' };

/** Our way from the fetch to the plan, against native git and parsing everything. */
export async function oneChangedFile(signal: AbortSignal): Promise<readonly Measured[]> {
  const root = await mkdtemp(join(tmpdir(), 'serin-bench-'));
  const server = await startGitServer({ root: join(root, 'git') });
  try {
    const bare = await server.createRepo('large');
    await fillLargeRepo(bare, { files });
    const native = join(root, 'native');
    await runGit(['clone', '--quiet', '--bare', server.repoUrl('large'), native]);
    const repo = await openRepo({ url: server.repoUrl('large'), branch: 'main', dir: join(root, 'mirror') });
    try {
      return await compare(repo, bare, native, signal);
    } finally {
      await repo.close();
    }
  } finally {
    await server.stop();
    await rm(root, { recursive: true, force: true });
  }
}

async function compare(repo: GitRepo, bare: string, native: string, signal: AbortSignal): Promise<readonly Measured[]> {
  const ours: number[] = [];
  const theirs: number[] = [];
  const startedMs = performance.now();
  const follower = createFollower(repo, signal);
  await follower.follow();
  const firstMs = performance.now() - startedMs;
  for (let round = 1; round <= rounds; round += 1) {
    const changed = (round * 7_919) % files;
    const path = largeRepoPath(changed);
    await commitWithGit(bare, { files: { [path]: largeRepoManifest(changed, round) }, message: `change ${round}` });
    const before = performance.now();
    const plan = await follower.follow();
    ours.push(performance.now() - before);
    const applied = plan.waves.flat().map(({ manifest }) => manifest.origin.path);
    if (applied.join() !== path) throw new Error(`the plan should apply ${path} and applies ${applied.join()}`);
    theirs.push(await fetchAndParseAll(native));
  }
  return [
    { what: 'clone, parse and plan everything (once)', unit: ' ms', spread: spreadOf([firstMs]) },
    { what: 'native git fetch and parsing everything', unit: ' ms', spread: spreadOf(theirs) },
    { what: 'poll, fetch, diff, parse and plan', unit: ' ms', spread: spreadOf(ours) },
    {
      what: 'times as fast',
      unit: '×',
      spread: spreadOf(theirs.map((ms, round) => ms / (ours[round] ?? Number.NaN))),
      goal: { kind: 'at least', value: 20 },
    },
  ];
}

/** Follows the branch as the agent does, up to the plan. */
function createFollower(repo: GitRepo, signal: AbortSignal): { follow(): Promise<SyncPlan> } {
  let last: { readonly revision: Revision; readonly files: ReadonlyMap<string, TreeFile> } | undefined;
  let loaded: LoadedTree | undefined;
  const applied = new Map<string, string>();
  const entries = new Map<string, InventoryEntry>();
  const render = createRender();

  const look = async (revision: Revision): Promise<Map<string, TreeFile>> => {
    if (!last) return new Map(await repo.tree(revision, settings.path));
    const tree = new Map(last.files);
    for (const change of await repo.diff(last.revision, revision, settings.path)) {
      if (change.kind === 'removed') tree.delete(change.path);
      else tree.set(change.path, change.after);
    }
    return tree;
  };
  const load = async (tree: ReadonlyMap<string, TreeFile>): Promise<LoadedTree> => {
    const wanted = new Map([...tree].filter(([path]) => isManifestFile(path, settings)));
    const texts = new Map<string, string>();
    for (const path of missingTexts(wanted, loaded?.cache)) {
      texts.set(path, Buffer.from(await repo.blob(wanted.get(path)?.oid ?? '')).toString('utf8'));
    }
    return loadTree(wanted, texts, loaded?.cache, settings);
  };
  const planned = (desired: readonly Manifest[]): SyncPlan =>
    planSync({
      desired,
      applied,
      inventory: { revision: last?.revision ?? '', entries },
      unreadablePaths: new Set(),
      ownNamespace: 'serin',
      prune: true,
      pruneAnything: false,
      fought: new Map(),
      live: () => undefined,
      canaryTargets: new Set(),
      takenOver: new Set(),
      drifted: new Set(),
      everything: false,
      render,
    });

  return {
    async follow() {
      const tip = await repo.poll(signal);
      if (!tip) throw new Error('the branch is gone');
      await repo.fetch(tip, signal);
      const tree = await look(tip);
      loaded = await load(tree);
      const plan = planned(loaded.manifests);
      last = { revision: tip, files: tree };
      for (const { object, hash, manifest } of plan.waves.flat()) {
        const ref = refOf(object);
        applied.set(identityKey(ref), hash);
        entries.set(identityKey(ref), { ref, path: manifest.origin.path });
      }
      return plan;
    },
  };
}

/** Milliseconds. */
async function fetchAndParseAll(native: string): Promise<number> {
  const before = performance.now();
  await runGit(['-C', native, 'fetch', '--quiet', 'origin', '+refs/heads/main:refs/heads/main']);
  const listed = await runGit(['-C', native, 'ls-tree', '-r', '--format=%(objectname) %(path)', 'refs/heads/main']);
  const entries = listed.split('\n').filter((line) => line !== '');
  const blobs = Buffer.from(
    await runGit(['-C', native, 'cat-file', '--batch'], entries.map((line) => `${line.slice(0, 40)}\n`).join('')),
  );
  let offset = 0;
  let objects = 0;
  for (const line of entries) {
    const headEnd = blobs.indexOf('\n', offset);
    const size = Number(blobs.toString('latin1', offset, headEnd).split(' ')[2]);
    const text = blobs.toString('utf8', headEnd + 1, headEnd + 1 + size);
    objects += parseManifests(line.slice(41), text).manifests.length;
    offset = headEnd + size + 2;
  }
  if (objects !== files) throw new Error(`${files} objects were expected, ${objects} are there`);
  return performance.now() - before;
}
