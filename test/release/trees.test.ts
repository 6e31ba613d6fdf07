import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { asRevision, type Revision } from '../../src/git/repo.ts';
import { ParsedFiles } from '../../src/manifest/parsed-files.ts';
import { loadTree } from '../../src/manifest/load.ts';
import { shownText } from '../../src/render/file-bytes.ts';
import { sourceOf } from '../../src/render/tree-files.ts';
import type { RenderedTree } from '../../src/release/rendered.ts';
import { createRender, createTreeReader, type TreeReader } from '../../src/release/trees.ts';
import { treeRepo } from '../helpers/tree-repo.ts';
import { appTree, deploymentText } from './a-config-repo.ts';

const never = new AbortController().signal;
const settings = { path: '', ledgerDir: '.releases', defaultNamespace: 'test' };
type Commit = Readonly<Record<string, string>>;
const revisionOf = (index: number): Revision => asRevision(index.toString(16).padStart(40, '0'));

interface Reading {
  readonly reader: TreeReader;
  readonly rendered: (index: number, is?: 'tip') => Promise<RenderedTree>;
  /** Texts of the blobs that were read since the last call. */
  readonly taken: () => readonly string[];
}

function reading(commits: readonly Commit[], parsed = new ParsedFiles()): Reading {
  const plain = treeRepo((at) => commits[Number.parseInt(at, 16)] ?? {});
  let read: string[] = [];
  const repo = {
    ...plain,
    has: () => Promise.resolve(true),
    blob: (oid: string) => {
      read.push(oid);
      return plain.blob(oid);
    },
    blobs: (oids: Iterable<string>, take: (oid: string, content: Uint8Array | undefined) => Promise<void>) =>
      plain.blobs(
        [...oids].map((oid) => (read.push(oid), oid)),
        take,
      ),
  };
  const reader = createTreeReader(repo, settings, parsed);
  const render = createRender(settings, parsed);
  return {
    reader,
    rendered: async (index, is) => render(await reader.read(revisionOf(index), never, is)),
    taken: () => {
      const texts = read;
      read = [];
      return texts;
    },
  };
}

const texts: Readonly<Record<string, readonly string[]>> = {
  'a/deployment.yaml': ['', deploymentText({ name: 'a' }), deploymentText({ name: 'a', image: 'a:2' }), 'kind: ['],
  'b/deployment.yaml': ['', deploymentText({ name: 'b' }), deploymentText({ name: 'a', image: 'a:3' })],
  'a/canary.yaml': ['', appTree({ name: 'a' }).get('a/canary.yaml') ?? ''],
  'b/canary.yaml': ['', appTree({ name: 'b' }).get('b/canary.yaml') ?? '', 'a: 1\n'],
  '.serinignore': ['', 'b/\n'],
  'kustomization.yaml': ['', 'resources: [a/canary.yaml]\nnamePrefix: x-\n'],
  '.releases/test/a.yaml': ['', 'apiVersion: serin.dev/v1\n'],
};
const aCommit = fc
  .record(Object.fromEntries(Object.entries(texts).map(([path, all]) => [path, fc.constantFrom(...all)])))
  .map((tree) => Object.fromEntries(Object.entries(tree).filter(([, text]) => text !== '')));

describe('trees that an outcome is built of', () => {
  it('say the same read one from the other as read from scratch, whatever was read and forgotten before', async () => {
    const steps = fc.array(fc.tuple(fc.nat(4), fc.constantFrom('tip', undefined), fc.boolean()), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(fc.array(aCommit, { minLength: 5, maxLength: 5 }), steps, async (commits, order) => {
        const one = reading(commits);
        for (const [index, is, rests] of order) {
          const said = ({ unreadableTextBeside: _beside, ...tree }: RenderedTree): unknown => tree;
          expect(said(await one.rendered(index, is))).toEqual(said(await reading(commits).rendered(index)));
          if (rests) one.reader.rest();
        }
      }),
      { numRuns: 30 },
    );
  });

  const many = Object.fromEntries(
    Array.from({ length: 60 }, (_, at) => [`n/app-${at}.yaml`, deploymentText({ name: `app-${at}` })] as const),
  );
  const changed = (at: number, tag: string): Commit => ({
    [`n/app-${at}.yaml`]: deploymentText({ name: `app-${at}`, image: `x:${tag}` }),
  });

  it('cost what the release and the commits since the last outcome touch, not what the repository holds', async () => {
    const [first, second, third] = [
      many,
      { ...many, ...changed(3, '2') },
      { ...many, ...changed(3, '2'), ...changed(4, '2') },
    ];
    const { reader, rendered, taken } = reading([first ?? {}, second ?? {}, third ?? {}]);
    await rendered(1, 'tip');
    expect(taken()).toHaveLength(60);
    await rendered(0);
    expect(taken()).toHaveLength(1);
    reader.rest();
    await rendered(2, 'tip');
    await rendered(1);
    expect(taken()).toEqual([changed(4, '2')['n/app-4.yaml']]);
  });

  it('are not parsed again where the sync has read them, unless it could make nothing of a file', async () => {
    const parsed = new ParsedFiles();
    const tree: Commit = { ...many, 'broken.yaml': 'kind: [' };
    const blobs = new Map(Object.entries(tree).map(([path, oid]) => [path, { oid, mode: '100644' }]));
    parsed.followed = loadTree(blobs, new Map(Object.entries(tree)), undefined, settings).cache;
    const { rendered, taken } = reading([tree], parsed);
    await rendered(0, 'tip');
    expect(taken()).toEqual(['kind: [']);
  });

  it('stay what they were read as while the sync goes on to newer commits, before they are rendered and after', async () => {
    const parsed = new ParsedFiles();
    const commits = [1, 2, 3].map((tag) => ({ ...many, ...changed(3, `${tag}`), ...changed(tag + 4, 'x') }));
    const follow = (index: number): void => {
      const tree: Commit = commits[index] ?? {};
      const blobs = new Map(Object.entries(tree).map(([path, oid]) => [path, { oid, mode: '100644' }]));
      parsed.followed = loadTree(blobs, new Map(Object.entries(tree)), undefined, settings).cache;
    };
    const { reader } = reading(commits, parsed);
    const imagesOf = ({ manifests }: RenderedTree): string => JSON.stringify(manifests.map(({ object }) => object));
    follow(0);
    const first = await reader.read(revisionOf(0), never, 'tip');
    follow(1);
    expect(imagesOf(createRender(settings, parsed)(first))).toContain('x:1');
    reader.rest();
    // Read from the tip before, of which neither the sync nor the reader kept the file that has changed.
    follow(2);
    const again = await reader.read(revisionOf(0), never);
    expect(imagesOf(createRender(settings, parsed)(again))).toContain('x:1');
    const next = await reader.read(revisionOf(1), never, 'tip');
    parsed.followed = new Map();
    expect(imagesOf(createRender(settings, parsed)(next))).toContain('x:2');
  });

  it('give a text only where it was read, and say which file was not', async () => {
    const { reader } = reading([{ 'a.yaml': 'a: 1\n', 'b.yaml': 'b: 1\n' }]);
    const files = await reader.read(revisionOf(0), never, 'tip');
    await reader.readTexts(files, ['a.yaml', 'none.yaml']);
    expect(shownText(sourceOf(files, 'a.yaml') ?? '')).toBe('a: 1\n');
    expect(sourceOf(files, 'none.yaml')).toBeUndefined();
    expect(() => sourceOf(files, 'b.yaml')).toThrow('b.yaml was not read');
  });
});
