import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { WholeSettings } from '../../../src/agent/deps.ts';
import { namesIn } from '../../../src/manifest/unread-words.ts';
import { createFileReader } from '../../../src/agent/reader/file-reader.ts';
import { ParsedFiles } from '../../../src/manifest/parsed-files.ts';
import { createSnapshots, type Snapshot, type Snapshots } from '../../../src/agent/source/snapshots.ts';
import { asRevision, type GitRepo } from '../../../src/git/repo.ts';
import { treeRepo } from '../../helpers/tree-repo.ts';

const never = new AbortController().signal;
const settings = {
  path: '',
  ledgerDir: '.releases',
  defaultNamespace: 'test',
  provider: 'traefik',
  minIntervalMs: 0,
  selectorLabels: ['app', 'name', 'app.kubernetes.io/name'] as readonly string[],
} as WholeSettings;

const object = (apiVersion: string, kind: string, name: string, rest = ''): string =>
  `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: { name: ${name} }\n${rest}`;
const deployment = (name: string, config: string, tag: string): string =>
  object(
    'apps/v1',
    'Deployment',
    name,
    `spec: { template: { spec: { containers: [{ name: c, image: "x:${tag}", envFrom: [{ configMapRef: { name: ${config} } }] }] } } }\n`,
  );
const canary = (target: string, metric: string, alert: string): string =>
  object(
    'flagger.app/v1beta1',
    'Canary',
    target,
    `spec: { targetRef: { kind: Deployment, name: ${target} }, service: { port: 80 }, analysis: { interval: 1m, threshold: 1, stepWeight: 5, ` +
      `metrics: [{ name: m, interval: 1m, templateRef: { name: ${metric} }, thresholdRange: { max: 1 } }], alerts: [{ name: a, providerRef: { name: ${alert} } }] } }\n`,
  );
const definition = (scope: string): string =>
  object(
    'apiextensions.k8s.io/v1',
    'CustomResourceDefinition',
    'widgets.example.com',
    `spec: { group: example.com, scope: ${scope}, names: { kind: Widget, plural: widgets } }\n`,
  );

/** What a file may be; the empty text: it is not there. */
const files: Readonly<Record<string, readonly string[]>> = {
  'a/deployment.yaml': ['', deployment('a', 'one', '1'), deployment('a', 'two', '1'), deployment('b', 'one', '2')],
  'b/deployment.yaml': ['', deployment('b', 'one', '1'), `${deployment('b', 'one', '1')}---\nkind: [`],
  'a/canary.yaml': ['', canary('a', 'm', 'p'), canary('a', 'n', 'p'), canary('b', 'm', 'q'), 'kind: Canary\n'],
  'b/canary.yaml': ['', canary('b', 'm', 'p'), `${canary('b', 'm', 'p')}---\n${canary('a', 'm', 'p')}`],
  'config.yaml': ['', object('v1', 'ConfigMap', 'one', 'data: { a: "1" }\n'), object('v1', 'ConfigMap', 'two')],
  'more.yaml': ['', object('v1', 'ConfigMap', 'one', 'data: { a: "2" }\n')],
  'metric.yaml': ['', object('flagger.app/v1beta1', 'MetricTemplate', 'm', 'spec: { query: "1" }\n')],
  'alert.yaml': ['', object('flagger.app/v1beta1', 'AlertProvider', 'p', 'spec: { type: slack }\n')],
  'crd.yaml': ['', definition('Cluster'), definition('Namespaced')],
  'widget.yaml': ['', object('example.com/v1', 'Widget', 'w')],
  '.serinignore': ['', 'b/\n', 'more.yaml\n'],
  'kustomization.yaml': ['', 'resources: [config.yaml]\n', 'resources: [config.yaml]\nnamePrefix: x-\n'],
  '.releases/test/a.yaml': ['', 'apiVersion: serin.dev/v1\n', 'apiVersion: serin.dev/v2\n'],
  'README.md': ['', 'hello\n', 'hello again\n'],
};
const aTree = fc
  .record(Object.fromEntries(Object.entries(files).map(([path, texts]) => [path, fc.constantFrom(...texts)])))
  .map((tree) => Object.fromEntries(Object.entries(tree).filter(([, text]) => text !== '')));
const anEdit = fc
  .constantFrom(...Object.entries(files))
  .chain(([path, texts]) => fc.constantFrom(...texts).map((text) => ({ path, text })));

/** Everything that it says, without how it was made. */
function said({ files: manifests, ledgers, loaded, checked, apps }: Snapshot): unknown {
  const { cache: _cache, ...tree } = loaded;
  const byPath = (tree: ReadonlyMap<string, unknown>): unknown => [...tree].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return { manifests: byPath(manifests), ledgers: byPath(ledgers), tree, checked, apps };
}

function follow(commits: readonly Readonly<Record<string, string>>[]): Snapshots {
  return createSnapshots(treeRepo((at) => commits[Number.parseInt(at, 16)] ?? {}) as GitRepo, settings);
}
const revisionOf = (index: number) => asRevision(index.toString(16).padStart(40, '0'));

describe('what Git says', () => {
  it('is the same read from one commit to the next as read from scratch, whatever changed', async () => {
    await fc.assert(
      fc.asyncProperty(aTree, fc.array(fc.array(anEdit, { maxLength: 3 }), { maxLength: 6 }), async (first, edits) => {
        const commits = [first];
        for (const changes of edits) {
          const next = { ...commits.at(-1) };
          for (const { path, text } of changes) {
            if (text === '') delete next[path];
            else next[path] = text;
          }
          commits.push(next);
        }
        const snapshots = follow(commits);
        let last: Snapshot | undefined;
        for (const index of commits.keys()) {
          last = await snapshots.at(revisionOf(index), last, never);
          expect(said(last)).toEqual(said(await follow(commits).at(revisionOf(index), undefined, never)));
        }
      }),
      { numRuns: 40 },
    );
  });

  it('is the same object where a commit changes no manifest, and knows since when', async () => {
    const app = { 'a/deployment.yaml': deployment('a', 'one', '1'), 'a/canary.yaml': canary('a', 'm', 'p') };
    const ledger = { '.releases/test/a.yaml': 'apiVersion: serin.dev/v1\n' };
    const snapshots = follow([app, { ...app, 'README.md': 'hello' }, { ...app, ...ledger }, ledger]);
    const first = await snapshots.at(revisionOf(0), undefined, never);
    const [second, third] = [
      await snapshots.at(revisionOf(1), first, never),
      await snapshots.at(revisionOf(2), first, never),
    ];
    for (const { files: manifests, loaded, checked, apps, since } of [second, third]) {
      expect(since).toBe(revisionOf(0));
      expect(manifests).toBe(first.files);
      expect(loaded).toBe(first.loaded);
      expect(checked).toBe(first.checked);
      expect(apps).toBe(first.apps);
    }
    expect(second.ledgers).toBe(first.ledgers);
    expect([...third.ledgers.keys()]).toEqual(['.releases/test/a.yaml']);
    const fourth = await snapshots.at(revisionOf(3), third, never);
    expect(fourth).toMatchObject({ since: revisionOf(3), apps: [] });
    expect(fourth.ledgers).toBe(third.ledgers);
  });

  it('has the same apps where their documents are the same, whatever else changed', async () => {
    const of = (name: string, tag: string) => ({
      [`${name}.yaml`]: `${deployment(name, 'one', tag)}---\n${canary(name, 'm', 'p')}`,
    });
    const config = { 'config.yaml': object('v1', 'ConfigMap', 'one', 'data: { a: "1" }\n') };
    const snapshots = follow([
      { ...of('a', '1'), ...of('b', '1'), ...config },
      { ...of('a', '1'), ...of('b', '2'), ...config },
      { ...of('a', '1'), ...of('b', '2') },
    ]);
    const first = await snapshots.at(revisionOf(0), undefined, never);
    const second = await snapshots.at(revisionOf(1), first, never);
    expect(second.apps[0]).toBe(first.apps[0]);
    expect(second.apps[1]?.content).not.toBe(first.apps[1]?.content);
    const third = await snapshots.at(revisionOf(2), second, never);
    expect(third.apps.map(({ configs }) => configs)).toEqual([[], []]);
    expect(third.apps[0]?.content).not.toBe(first.apps[0]?.content);
  });

  it('is read in turns where there is much of it, in many files or in one', async () => {
    const names = Array.from({ length: 150 }, (_, index) => `app-${index}`);
    const documents = names.flatMap((name) => [deployment(name, 'one', '1'), canary(name, 'm', 'p')]);
    const many = Object.fromEntries(documents.map((text, index) => [`${index}.yaml`, text]));
    const snapshots = follow([{}, many, { 'all.yaml': documents.join('---\n') }]);
    let last = await snapshots.at(revisionOf(0), undefined, never);
    for (const index of [1, 2]) {
      let turns = 0;
      const count = (): void => {
        turns += 1;
        waiting = setImmediate(count);
      };
      let waiting = setImmediate(count);
      last = await snapshots.at(revisionOf(index), last, never);
      clearImmediate(waiting);
      expect(last.apps).toHaveLength(150);
      expect(turns).toBeGreaterThan(3);
    }
  });
});

it('a tree with more manifests than there is room for keeps what it can, tells the rest, and takes it in when there is room', async () => {
  const large = (name: string): string => object('v1', 'ConfigMap', name, `data: { a: "${'x'.repeat(400_000)}" }\n`);
  const small = { 'apps/a.yaml': object('v1', 'ConfigMap', 'small'), 'apps/b.yaml': deployment('a', 'one', '1') };
  const five = Object.fromEntries(['p', 'q', 'r', 's', 't'].map((name) => [`large/${name}.yaml`, large(name)]));
  const { 'large/p.yaml': _p, 'large/q.yaml': _q, ...three } = five;
  const commits = [
    { ...small, ...five },
    { ...small, ...five, 'apps/c.yaml': 'a: b\n' },
    { ...small, ...three },
  ];
  const repo = treeRepo((at) => commits[Number.parseInt(at, 16)] ?? {}) as GitRepo;
  const limits = { fileBytes: 1_000_000, objectLength: 1_000_000, treeBytes: 1_500_000 };
  const snapshots = createSnapshots(repo, { ...settings, limits });
  const seen: { readonly names: readonly string[]; readonly told: readonly string[] }[] = [];
  let last: Snapshot | undefined;
  for (const at of commits.keys()) {
    last = await snapshots.at(asRevision(at.toString(16).padStart(40, '0')), last, never);
    const { manifests, problems, unreadableText } = last.loaded;
    seen.push({
      names: manifests.map(({ object: { metadata } }) => metadata.name),
      told: problems.map(({ message }) => message),
    });
    // What is left out may be named, and is not taken for deleted.
    const isNamed = namesIn(unreadableText);
    const leftOut = ['p', 'q', 'r', 's', 't'].filter((name) => !seen.at(-1)?.names.includes(name));
    if (at < 2) expect(leftOut.map(isNamed)).toEqual([true, true]);
  }
  const [first, second, third] = seen;
  expect(first?.names.slice(0, 2)).toEqual(['small', 'a']);
  expect(first?.names).toHaveLength(2 + 3);
  expect(first?.told).toEqual(
    Array.from(
      { length: 2 },
      () => 'the file is left out: all manifests together have more than the 1.5 MiB of --max-tree-size',
    ),
  );
  expect(second).toEqual(first);
  expect(third).toEqual({ names: ['small', 'a', 'r', 's', 't'], told: [] });
});

it('of many large files no more are read than there is room for, neither now nor at the next commit', async () => {
  const large = (name: string): string => object('v1', 'ConfigMap', name, `data: { a: "${'x'.repeat(100_000)}" }\n`);
  const many = Object.fromEntries(Array.from({ length: 25 }, (_, at) => [`large/${at}.yaml`, large(`a${at}`)]));
  const commits = [
    { ...many, 'b.yaml': object('v1', 'ConfigMap', 'small') },
    { ...many, 'b.yaml': '# none\n' },
  ];
  const read: string[] = [];
  const here = createFileReader();
  const parsed = new ParsedFiles({
    read(path, content, file) {
      read.push(path);
      return here.read(path, content, file);
    },
  });
  const limits = { fileBytes: 1_000_000, objectLength: 1_000_000, treeBytes: 650_000 };
  const repo = treeRepo((at) => commits[Number.parseInt(at, 16)] ?? {}) as GitRepo;
  const snapshots = createSnapshots(repo, { ...settings, limits }, parsed);
  const first = await snapshots.at(asRevision('0'.repeat(40)), undefined, never);
  expect(first.loaded.manifests).toHaveLength(7);
  expect(read.filter((path) => path.startsWith('large/'))).toHaveLength(6);
  expect(first.loaded.problems).toHaveLength(19);
  await snapshots.at(asRevision(`${'0'.repeat(39)}1`), first, never);
  expect(read.filter((path) => path.startsWith('large/'))).toHaveLength(6);
});
