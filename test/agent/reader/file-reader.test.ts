import { afterAll, describe, expect, it } from 'vitest';
import { createFileReader, createThreadedReader, type ThreadOptions } from '../../../src/agent/reader/file-reader.ts';
import { namesIn } from '../../../src/manifest/unread-words.ts';

/** As the build makes it, which the tests are run after. */
const entry = new URL('../../../dist/agent/reader/file-thread.js', import.meta.url);
const MiB = 1024 * 1024;
const config = (name: string, data = '  a: b\n'): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name}, labels: { __proto__: x, constructor: z } }\ndata:\n${data}`;
const bytes = (text: string): Uint8Array => Buffer.from(text);

describe('A file that is read by a thread', () => {
  const readers: { close(): Promise<void> }[] = [];
  const aReader = (options: Partial<ThreadOptions> = {}) => {
    const reader = createThreadedReader({ entry, smallBytes: 0, ...options });
    readers.push(reader);
    return reader;
  };
  afterAll(async () => {
    for (const reader of readers) await reader.close();
  });

  it.each([
    ['many documents', 'a.yaml', Array.from({ length: 3_000 }, (_, at) => config(`a${at}`)).join('---\n')],
    ['one document', 'a.yaml', config('a', `  a: "${'x'.repeat(MiB)}"\n`)],
    [
      'a List',
      'a.json',
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'List',
        items: [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } }],
      }),
    ],
    ['an ignore file', '.serinignore', 'a/\n*.tmp.yaml\n'],
    ['a kustomization', 'kustomization.yaml', 'resources: [a.yaml]\nnamePrefix: x\n'],
    ['errors', 'a.yaml', `${config('a')}---\n${config('b')}\tx: y\n---\n- 1\n`],
    ['bytes that are no UTF-8', 'a.yaml', Buffer.from('apiVersion: v1\n# gr\u00fc\u00df\n', 'latin1')],
  ])('holds what it holds otherwise: %s', async (name, path, content) => {
    const file = { oid: '1', mode: '100644' };
    const asBytes = typeof content === 'string' ? bytes(content) : content;
    const expected = await createFileReader().read(path, asBytes, file);
    if (path.endsWith('.json') || name.includes('document')) expect(expected.parsed.manifests).not.toEqual([]);
    expect(await aReader().read(path, asBytes, file)).toEqual(expected);
  });

  it('leaves this thread free, whatever stands in it', async () => {
    const reader = aReader();
    await reader.read('first.yaml', bytes(config('a')), { oid: '1' });
    let longestMs = 0;
    let lastMs = performance.now();
    const beat = setInterval(() => {
      longestMs = Math.max(longestMs, performance.now() - lastMs);
      lastMs = performance.now();
    }, 5);
    const startedMs = performance.now();
    const hostile = config('a', Array.from({ length: 40_000 }, (_, at) => `  key${at}: v`).join('\n'));
    await reader.read('a.yaml', bytes(hostile), { oid: '2' });
    const tookMs = performance.now() - startedMs;
    clearInterval(beat);
    // Here it would have been one stretch.
    expect(longestMs).toBeLessThan(Math.max(tookMs / 3, 50));
  }, 60_000);

  it.each([
    ['is small', 'a: b\n'.repeat(500), false],
    ['is long, of words', `a: ${'word '.repeat(5_000)}\n`, false],
    ['is short, of signs', '{{a}}'.repeat(1_000), true],
    ['is short, of empty lines', '\n'.repeat(3_000), true],
  ])('is read there where it costs much: one that %s', async (_, text, isSentThere) => {
    const reader = createThreadedReader({ entry: new URL('file:///nowhere.js') });
    readers.push(reader);
    const { parsed } = await reader.read('a.yaml', bytes(text), { oid: '1' });
    expect(parsed.problems.some(({ message }) => message.includes('Cannot find module'))).toBe(isSentThere);
  });

  it('that takes too long is told, and what it held stays; the next one is read', async () => {
    const reader = aReader({ deadlineMs: 1_500, deadlineMsPerMiB: 0 });
    const slow = config('kept', `  a: [${'[],'.repeat(5 * MiB)}]`);
    const read = await reader.read('slow.yaml', bytes(slow), { oid: '1' });
    expect(read.parsed.problems).toMatchObject([
      { severity: 'error', path: 'slow.yaml', line: 1, message: 'the file takes too long to read' },
    ]);
    expect(namesIn(read.parsed.unreadableText ?? '')('kept')).toBe(true);
    const quick = aReader();
    expect((await quick.read('a.yaml', bytes(config('a')), { oid: '2' })).parsed.manifests).toHaveLength(1);
  }, 60_000);

  it('that needs too much memory is told, and the next one is read', async () => {
    const reader = aReader({ memoryMiB: 24, deadlineMs: 60_000 });
    const large = config('a', Array.from({ length: 300_000 }, (_, at) => `  key${at}: v`).join('\n'));
    const read = await reader.read('large.yaml', bytes(large), { oid: '1' });
    expect(read.parsed.problems[0]?.message).toBe('the file takes more than 24 MiB of memory to read');
    expect((await reader.read('a.yaml', bytes(config('a')), { oid: '2' })).parsed.manifests).toHaveLength(1);
  }, 90_000);

  it('is not even sent there where it is known to be too large', async () => {
    const reader = aReader({ entry: new URL('file:///nowhere.js') });
    const read = await reader.read('a.yaml', new Uint8Array(16 * MiB + 1), { oid: '1' });
    expect(read.parsed.problems[0]?.message).toContain('is too large to be read');
  });

  it.each([
    ['in double quotes', (text: string) => `"${text}"`],
    ['with escapes', (text: string) => `"${text.replaceAll('; ', '\\n')}"`],
    ['in single quotes', (text: string) => `'${text}'`],
    ['as a block', (text: string) => `|\n    ${text.replaceAll('; ', '\n    ')}`],
    ['folded', (text: string) => `>\n    ${text.replaceAll('; ', '\n    ')}`],
    ['as names of members', (text: string) => `{ ${text.replaceAll('; ', ': 1, ')} }`],
  ])('takes memory in proportion to its text, whatever is written %s', async (_, written) => {
    const text = (at: number): string =>
      Array.from({ length: 300 }, (_, line) => `value ${line} of the setting ${at}`).join('; ');
    const objects = Array.from({ length: 500 }, (_, at) => config(`a${at}`, `  a: ${written(text(at))}\n`));
    const content = bytes(objects.join('---\n'));
    expect(content.length).toBeGreaterThan(4 * MiB);
    const reader = aReader({ memoryMiB: 64, deadlineMs: 60_000 });
    const read = await reader.read('a.yaml', content, { oid: '1' });
    expect(read.parsed.problems).toEqual([]);
    expect(read.parsed.manifests).toHaveLength(500);
  });

  it('is judged by the limits of the settings, there as here', async () => {
    const limits = { fileBytes: 200 * 1024, objectLength: 100 * 1024, treeBytes: MiB };
    const object = bytes(config('a', `  a: "${'x'.repeat(150 * 1024)}"\n`));
    const large = bytes(config('a', `  a: "${'x'.repeat(250 * 1024)}"\n`));
    for (const reader of [aReader({ limits }), createFileReader(limits)]) {
      const told = async (content: Uint8Array, oid: string) =>
        (await reader.read('a.yaml', content, { oid })).parsed.problems[0]?.message;
      expect(await told(object, '1')).toBe(
        'ConfigMap a is too large (0.2 MiB as JSON, more than the 0.1 MiB of --max-object-size)',
      );
      expect(await told(large, '2')).toBe(
        'the file is too large to be read (0.3 MiB, more than the 0.2 MiB of --max-file-size)',
      );
    }
  });

  it('that was given up is not tried again at another path or for another tree', async () => {
    const reader = aReader({ deadlineMs: 300, deadlineMsPerMiB: 0 });
    const slow = bytes(config('a', `  a: [${'[],'.repeat(2 * MiB)}]`));
    await reader.read('a.yaml', slow, { oid: '1' });
    const startedMs = performance.now();
    const again = await reader.read('b.yaml', slow, { oid: '1' }, 'now');
    expect(again.parsed.problems[0]?.message).toBe('the file takes too long to read');
    expect(performance.now() - startedMs).toBeLessThan(200);
  });

  it('of a tenant who takes one deadline after the other keeps no revert of another one waiting', async () => {
    const reader = aReader({
      deadlineMs: 6_000,
      deadlineMsPerMiB: 0,
      areaOf: (path) => path.split('/')[0] ?? '',
      times: { patienceMs: 200, quietMs: 300 },
    });
    await reader.read('b/first.yaml', bytes(config('a')), { oid: 'first' });
    // Each of them is another one.
    const hostile = Array.from({ length: 12 }, (_, at) =>
      reader.read(`a/${at}.yaml`, bytes(config('a', `  a${at}: [${'[],'.repeat(5 * MiB)}]`)), { oid: `hostile${at}` }),
    );
    const settled = Promise.allSettled(hostile);
    const startedMs = performance.now();
    const before = await reader.read('b/a.yaml', bytes(config('a')), { oid: 'before' }, 'now');
    const side = { texts: new Map([['b/a.yaml', config('a')]]), objects: new Map() };
    const edits = await reader.edit({ kind: 'restore', base: side, judged: side, tip: side, facts: new Map() });
    const after = await reader.read('b/a.yaml', bytes(config('a', '  a: c\n')), { oid: 'after' }, 'now');
    const tookMs = performance.now() - startedMs;
    expect([before, after].map(({ parsed }) => parsed.manifests.length)).toEqual([1, 1]);
    expect(edits).toEqual({ kind: 'edited', files: new Map() });
    // Less than one deadline of twelve, and that includes the start of a thread.
    expect(tookMs).toBeLessThan(4_000);
    await reader.close();
    await settled;
  }, 60_000);

  it('is told where there is no such thread', async () => {
    const reader = aReader({ entry: new URL('file:///nowhere.js') });
    const read = await reader.read('a.yaml', bytes(config('a')), { oid: '1' });
    expect(read.parsed.problems[0]?.message).toContain('cannot be read');
  });

  it('is given up when the agent stops, and none is begun after it', async () => {
    const reader = aReader({ deadlineMs: 60_000 });
    await reader.read('first.yaml', bytes(config('a')), { oid: '1' });
    const slow = bytes(config('a', `  a: [${'[],'.repeat(5 * MiB)}]`));
    const reads = [
      reader.read('slow.yaml', slow, { oid: '2' }),
      reader.read('next.yaml', bytes(config('b')), { oid: '3' }),
    ];
    const settled = Promise.allSettled(reads);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await reader.close();
    expect((await settled).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await expect(reader.read('late.yaml', bytes(config('c')), { oid: '4' })).rejects.toThrow('the reader is closed');
  }, 60_000);
});
