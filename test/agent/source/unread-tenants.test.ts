import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { WholeSettings } from '../../../src/agent/deps.ts';
import { createAreaSlots } from '../../../src/agent/source/area-slots.ts';
import { createFileReader } from '../../../src/agent/reader/file-reader.ts';
import { createSnapshots, type Snapshot } from '../../../src/agent/source/snapshots.ts';
import { asRevision, type GitRepo } from '../../../src/git/repo.ts';
import type { FileReader } from '../../../src/manifest/load.ts';
import { identityKey } from '../../../src/manifest/identity.ts';
import { ParsedFiles } from '../../../src/manifest/parsed-files.ts';
import { createTenancy } from '../../../src/manifest/tenancy.ts';
import { refOf } from '../../../src/manifest/types.ts';
import { planPrune } from '../../../src/sync/prune-plan.ts';
import { treeRepo } from '../../helpers/tree-repo.ts';

const never = new AbortController().signal;
const tenancy = createTenancy(['large', 'small'].map((name) => ({ name, folder: name, namespaces: [name] })));
const settings = {
  path: '',
  ledgerDir: '.releases',
  defaultNamespace: 'test',
  provider: 'traefik',
  minIntervalMs: 0,
  selectorLabels: ['app'] as readonly string[],
} as WholeSettings;
type Files = Readonly<Record<string, string>>;

const config = (tenant: string, name: string, value = 'a'): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name}, namespace: ${tenant} }\ndata: { v: "${value}" }\n`;
const app = (tenant: string): string =>
  `${config(tenant, 'app')}---\napiVersion: flagger.app/v1beta1\nkind: Canary\nmetadata: { name: app, namespace: ${tenant} }\nspec: { targetRef: { kind: Deployment, name: app } }\n`;
const many = (count: number): Files =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`large/${at}.yaml`, config('large', `a${at}`)]));

/** Commits that are followed by somebody who waits 400 ms, with a reader that reads what is of `large` only when it is let. */
function following(commits: readonly Files[], isTenancy = true) {
  const here = createFileReader();
  let go: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (go = resolve));
  const read: string[] = [];
  const reader: FileReader = {
    async read(path, content, file, haste) {
      if (path.startsWith('large/')) await gate;
      read.push(`${haste ?? ''} ${path}`);
      return here.read(path, content, file);
    },
  };
  const onRead: (() => void)[] = [];
  const repo = treeRepo((at) => commits[Number.parseInt(at, 16)] ?? {}) as GitRepo;
  const all = isTenancy ? { ...settings, tenancy } : settings;
  const snapshots = createSnapshots(repo, all, new ParsedFiles(reader), {}, () => onRead.shift()?.(), {
    patienceMs: 400,
  });
  const revisionOf = (index: number) => asRevision(index.toString(16).padStart(40, '0'));
  return {
    read,
    let: () => go(),
    told: () => new Promise<void>((resolve) => onRead.push(resolve)),
    at: (index: number, last?: Snapshot) => snapshots.at(revisionOf(index), last, never),
    appsAt: (index: number, areas?: ReadonlySet<string>) => snapshots.appsAt(revisionOf(index), never, areas),
  };
}
const namesIn = ({ loaded }: Snapshot): string[] =>
  loaded.manifests.map(({ object: { metadata, ...rest } }) => `${metadata.name} ${JSON.stringify(rest['data'])}`);

describe('A tenant whose files take long to be read', () => {
  it.each([
    ['one file', { 'large/a.yaml': config('large', 'a') }],
    ['many files', many(3_000)],
    ['files that are nothing but markers', { 'large/a.yaml': '---\n'.repeat(5_000) }],
  ])('keeps nobody else waiting, now and at later commits: %s', async (_what, large) => {
    const commits = [0, 1, 2].map((value) => ({ ...large, 'small/a.yaml': config('small', 'mine', `${value}`) }));
    const followed = following(commits);
    const first = await followed.at(0);
    expect(namesIn(first)).toEqual(['mine {"v":"0"}']);
    expect([...(first.unread?.keys() ?? [])]).toEqual(['large']);
    expect(first.loaded.problems.map(({ message }) => message)).toEqual([
      'the files of tenant large are being read: until all of them are, what came from them stays as it is',
    ]);
    const second = await followed.at(1, first);
    expect(namesIn(second)).toEqual(['mine {"v":"1"}']);
    const told = followed.told();
    followed.let();
    await told;
    const whole = await followed.at(1, second);
    expect(whole.unread).toBeUndefined();
    expect(whole.loaded.problems).toEqual([]);
    expect(namesIn(whole)).toHaveLength(Object.keys(large).length + (large['large/a.yaml']?.startsWith('---') ? 0 : 1));
    // Nothing is read twice.
    const before = followed.read.length;
    expect(namesIn(await followed.at(2, whole))).toHaveLength(namesIn(whole).length);
    expect(followed.read.slice(before)).toEqual(['soon small/a.yaml']);
  });

  it('loses nothing of what came from its files before, moved or not', async () => {
    const before = {
      'large/a.yaml': config('large', 'a'),
      'large/b.yaml': config('large', 'b'),
      'small/a.yaml': app('small'),
    };
    const after = { 'large/c.yaml': config('large', 'a', 'b'), 'small/b.yaml': config('small', 'b') };
    const read = following([before]);
    read.let();
    const entries = (await read.at(0)).loaded.manifests.map(
      ({ object, origin }) => [identityKey(refOf(object)), { ref: refOf(object), path: origin.path }] as const,
    );
    expect(entries).toHaveLength(4);
    const { loaded } = await following([after]).at(0);
    const areaOf = (path: string): string => path.split('/')[0] ?? '';
    const { prune, kept } = planPrune({
      desired: loaded.manifests,
      inventory: { revision: 'r', entries: new Map(entries) },
      unreadablePaths: loaded.unreadablePaths,
      strays: loaded.strays,
      areas: loaded.areas,
      areaOf,
      prune: true,
      pruneAnything: false,
    });
    expect(prune.map(({ ref }) => `${ref.kind} ${ref.namespace} ${ref.name}`)).toEqual([
      'Canary small app',
      'ConfigMap small app',
    ]);
    expect(kept).toEqual([]);
  });

  it('is applied as a whole or not at all: of its commit nobody sees a part', async () => {
    const commits = [
      { 'large/a.yaml': config('large', 'a'), 'large/0.yaml': '# nothing\n', 'small/a.yaml': config('small', 'b') },
    ];
    const { loaded } = await following(commits).at(0);
    expect(loaded.manifests.map(({ object }) => object.metadata.namespace)).toEqual(['small']);
  });

  it('is waited for where there is nobody else', async () => {
    for (const isTenancy of [true, false]) {
      const files = {
        'large/a.yaml': config('large', 'a'),
        ...(isTenancy ? {} : { 'small/a.yaml': config('small', 'b') }),
      };
      const followed = following([files], isTenancy);
      const found = followed.at(0);
      await sleep(600);
      followed.let();
      expect((await found).unread).toBeUndefined();
    }
  });

  it('is not read to know what another one said at an older commit', async () => {
    const followed = following([{ 'large/a.yaml': app('large'), 'small/a.yaml': app('small') }]);
    const apps = await followed.appsAt(0, new Set(['small']));
    expect(apps.map(({ id }) => id.namespace)).toEqual(['small']);
  });
});

describe('Places for those who read', () => {
  const MiB = 1024 * 1024;
  const pieces = () => {
    const begun: string[] = [];
    const ends = new Map<string, () => void>();
    const piece = (name: string) => () =>
      new Promise<void>((resolve) => {
        begun.push(name);
        ends.set(name, resolve);
      });
    return { begun, piece, end: (name: string) => ends.get(name)?.() };
  };

  it('are one at most for all of whom much was read of late, so that others find one free', async () => {
    const slots = createAreaSlots(() => 0);
    for (const area of ['a', 'b', 'c', 'd']) slots.spend(area, 5 * MiB);
    const { begun, piece, end } = pieces();
    const all = ['a', 'b', 'c', 'd', 'e', 'f'].map((area) => slots.run(area, piece(area)));
    expect(begun).toEqual(['a', 'e', 'f']);
    for (const next of ['a', 'b', 'c', 'd']) {
      await expect.poll(() => begun).toContain(next);
      end(next);
    }
    for (const last of ['e', 'f']) end(last);
    await Promise.all(all);
  });

  it('are of whoever has had the least, and what was read is forgotten in time', async () => {
    let nowMs = 0;
    const slots = createAreaSlots(() => nowMs);
    slots.spend('a', 8 * MiB);
    expect(slots.isHeavy('a')).toBe(true);
    nowMs = 61_000;
    expect(slots.isHeavy('a')).toBe(false);
    slots.spend('b', MiB);
    const { begun, piece, end } = pieces();
    const all = ['x', 'y', 'z', 'a', 'b', 'c'].map((area) => slots.run(area, piece(area)));
    for (const next of ['x', 'y', 'z', 'c', 'b', 'a']) {
      await expect.poll(() => begun).toContain(next);
      end(next);
    }
    await Promise.all(all);
    expect(begun).toEqual(['x', 'y', 'z', 'c', 'b', 'a']);
  });
});
