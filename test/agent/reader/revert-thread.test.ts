import { afterAll, describe, expect, it } from 'vitest';
import { createThreadedReader, type ThreadOptions } from '../../../src/agent/reader/file-reader.ts';
import { asRevision, type Revision } from '../../../src/git/repo.ts';
import { createTurns } from '../../../src/lib/turns.ts';
import { ParsedFiles } from '../../../src/manifest/parsed-files.ts';
import { reverting, type Revert } from '../../../src/release/revert.ts';
import { createRender, createTreeReader } from '../../../src/release/trees.ts';
import { treeRepo } from '../../helpers/tree-repo.ts';
import { canaryText, deploymentText } from '../../release/a-config-repo.ts';

/** As the build makes it, which the tests are run after. */
const entry = new URL('../../../dist/agent/reader/file-thread.js', import.meta.url);
const never = new AbortController().signal;
const settings = { path: '', ledgerDir: '.releases', defaultNamespace: 'test' };
const app = { namespace: 'test', name: 'shop' };

const head = 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: shop-config, namespace: test }\n';
const many = <Item>(count: number, item: (at: number) => Item): readonly Item[] =>
  Array.from({ length: count }, (_, at) => item(at));

/** Files with the app's ConfigMap, in which `value` stands; each is large in another way. */
const kinds: readonly (readonly [string, (value: string) => string])[] = [
  ['keys', (value) => `${head}data:\n${many(4_000, (at) => `  key${at}: "${at % 97 === 0 ? value : 0}"\n`).join('')}`],
  [
    'braces',
    (value) => `${head}data: { ${many(4_000, (at) => `k${at}: "${at % 97 === 0 ? value : 0}"`).join(', ')} }\n`,
  ],
  [
    'documents',
    (value) =>
      `${head}data: { a: "${value}" }\n${many(1_500, (at) => `---\n${head.replace('shop-config', `c${at}`)}`).join('')}`,
  ],
  [
    'items of a List',
    (value) => {
      const item = (at: number): string =>
        `- {apiVersion: v1, kind: ConfigMap, metadata: {name: ${at === 0 ? 'shop-config' : `c${at}`}, namespace: test}, data: {a: "${at === 0 ? value : 0}"}}\n`;
      return `apiVersion: v1\nkind: List\nitems:\n${many(1_000, item).join('')}`;
    },
  ],
  ['markers', (value) => `${head}data: { a: "${value}" }\n${'---\n'.repeat(20_000)}`],
];

interface Outcome {
  readonly revert: Revert;
  /** The part of the time that this thread was busy for. */
  readonly busy: number;
  readonly longestMs: number;
  readonly tookMs: number;
}

/** Takes a release back whose ConfigMap stands in such a file, all as the agent does it. */
async function takenBack(text: (value: string) => string, options?: Partial<ThreadOptions>): Promise<Outcome> {
  const tree = (image: string, value: string): Record<string, string> => ({
    'canary.yaml': canaryText({ name: 'shop' }),
    'deployment.yaml': deploymentText({ name: 'shop', image, config: {} }),
    'config.yaml': text(value),
  });
  const judged = tree('shop:2', 'bad');
  const commits = [tree('shop:1', 'good'), judged, { ...judged, 'config.yaml': `# later\n${text('bad')}` }];
  const revisions = commits.map((_, at) => asRevision(at.toString(16).padStart(40, '0')));
  const repo = { ...treeRepo((at) => commits[Number.parseInt(at, 16)] ?? {}), has: () => Promise.resolve(true) };
  const files = createThreadedReader({ entry });
  const editor = options ? createThreadedReader({ entry, ...options }) : files;
  const parsed = new ParsedFiles(files);
  const reader = createTreeReader(repo, settings, parsed);
  const render = createRender(settings, parsed, { editor, readTexts: reader.readTexts.bind(reader) });
  const turns = createTurns();
  let longestMs = 0;
  let lastMs = performance.now();
  const beat = setInterval(() => {
    longestMs = Math.max(longestMs, performance.now() - lastMs);
    lastMs = performance.now();
  }, 2);
  const startedMs = performance.now();
  const before = performance.eventLoopUtilization();
  try {
    const read = async (at: number, is?: 'tip') => reader.read(revisions[at] as Revision, never, is);
    const trees = { tip: await read(2, 'tip'), base: await read(0), judged: await read(1) };
    const revert = await turns.run(reverting({ app, render, ...trees }));
    const { utilization: busy } = performance.eventLoopUtilization(before);
    return { revert, busy, longestMs, tookMs: performance.now() - startedMs };
  } finally {
    clearInterval(beat);
    await editor.close();
    await files.close();
  }
}

describe('A revert in a file that somebody made large', () => {
  it.each(kinds)(
    'leaves this thread to others: %s',
    async (_, text) => {
      const { revert, busy, longestMs, tookMs } = await takenBack(text);
      expect(revert.kind).toBe('edited');
      const edited = revert.kind === 'edited' ? revert.files.get('config.yaml') : undefined;
      expect(edited).toBe(`# later\n${text('good')}`);
      expect(busy).toBeLessThan(0.6);
      expect(longestMs).toBeLessThan(Math.max(tookMs / 3, 50));
    },
    60_000,
  );

  it('is left to a person where it takes longer than it may', async () => {
    const [, text] = kinds[0] ?? ['', () => ''];
    const { revert } = await takenBack(text, { deadlineMs: 1, deadlineMsPerMiB: 0 });
    expect(revert).toMatchObject({
      kind: 'conflict',
      reason: 'its files could not be worked on (takes too long to read)',
    });
  }, 60_000);
});

describe('A thread that edits', () => {
  const readers: { close(): Promise<void> }[] = [];
  afterAll(async () => {
    for (const reader of readers) await reader.close();
  });

  it('edits nothing any more when the agent has stopped', async () => {
    const reader = createThreadedReader({ entry, smallBytes: 0 });
    readers.push(reader);
    const side = { texts: new Map([['a.yaml', 'a: b\n']]), objects: new Map() };
    const texts = { kind: 'restore' as const, base: side, judged: side, tip: side, facts: new Map() };
    expect(await reader.edit(texts)).toEqual({ kind: 'edited', files: new Map() });
    await reader.close();
    await expect(reader.edit(texts)).rejects.toThrow('the reader is closed');
  }, 60_000);
});
