import { describe, expect, it } from 'vitest';
import { encodeEntry, encodePack, packHeader, sealPack } from '../../src/git/pack-format.ts';
import { PackEntries } from '../../src/git/pack-entries.ts';
import { ingestPack } from '../../src/git/pack-ingest.ts';
import { newObject } from '../../src/git/objects.ts';
import { ObjectStore } from '../../src/git/object-store.ts';
import { commitFiles, runGit, withTempDir } from '../helpers/temp-repo.ts';
import { fetchTip, text, withGit } from '../helpers/git-fixture.ts';

const MiB = 1024 * 1024;
const nothing = (): undefined => undefined;
const small = newObject('blob', Buffer.from('a: b\n'));

/** Sizes as deltas have them. */
function sizeBytes(size: number): number[] {
  const bytes: number[] = [];
  for (let rest = size; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) | 0x80);
  }
}

describe('A pack that becomes far more than it is', () => {
  it('is taken where one file is too large to be held; the others are read', () =>
    withTempDir(async (dir) => {
      const zeros = newObject('blob', Buffer.alloc(80 * MiB));
      const { bytes } = encodePack([small, zeros]);
      expect(bytes.length).toBeLessThan(MiB);
      const before = process.memoryUsage().rss;
      const pack = await ingestPack(bytes, nothing);
      // The file itself has 80; what the process keeps beside it differs from one Node to the other.
      expect(process.memoryUsage().rss - before).toBeLessThan(76 * MiB);
      const store = await ObjectStore.open(dir);
      await store.addPack(pack);
      expect(store.has(zeros.oid)).toBe(true);
      const taken = new Map<string, number | undefined>();
      await store.readMany([zeros.oid, small.oid], (oid, object) => {
        taken.set(oid, object?.content.length);
        return Promise.resolve();
      });
      store.close();
      expect(taken).toEqual(
        new Map([
          [zeros.oid, undefined],
          [small.oid, small.content.length],
        ]),
      );
    }));

  it('of which some are not wanted gives the others, and those are not even read', () =>
    withTempDir(async (dir) => {
      const large = Array.from({ length: 25 }, (_, at) => newObject('blob', Buffer.alloc(15 * MiB, `${at} `)));
      const store = await ObjectStore.open(dir);
      await store.addPack(encodePack([small, ...large]));
      const asked: number[] = [];
      const taken: string[] = [];
      const before = process.memoryUsage().rss;
      await store.readMany(
        [...large, small].map(({ oid }) => oid),
        (oid) => {
          taken.push(oid);
          return Promise.resolve();
        },
        { isWanted: (_, size) => (asked.push(size), size < MiB) },
      );
      store.close();
      expect(taken).toEqual([small.oid]);
      expect(asked.toSorted((a, b) => a - b)).toEqual([small.content.length, ...large.map(() => 15 * MiB)]);
      expect(process.memoryUsage().rss - before).toBeLessThan(60 * MiB);
    }));

  it('is refused with its size where a delta makes a small object large', async () => {
    const base = newObject('blob', Buffer.alloc(MiB, 'x'));
    // Copies the same 64 KiB again and again.
    const copies = Array.from({ length: 1_600 }, () => 0x80);
    const delta = Buffer.from([...sizeBytes(MiB), ...sizeBytes(1_600 * 0x10000), ...copies]);
    const entry = encodeEntry({ base: base.oid, delta });
    const { bytes } = sealPack([packHeader(2), encodeEntry(base), entry], new PackEntries(0));
    await expect(ingestPack(bytes, nothing)).rejects.toMatchObject({
      code: 'GIT_TOO_LARGE',
      message: expect.stringContaining('100 MiB; the limit is 64 MiB'),
    });
  });

  it('is refused where a delta only says that it is large', async () => {
    const delta = Buffer.from([...sizeBytes(small.content.length), ...sizeBytes(2 ** 40)]);
    const entry = encodeEntry({ base: small.oid, delta });
    const { bytes } = sealPack([packHeader(2), encodeEntry(small), entry], new PackEntries(0));
    await expect(ingestPack(bytes, nothing)).rejects.toMatchObject({ code: 'GIT_TOO_LARGE' });
  });

  it('is damaged where a large object has another size than it says', async () => {
    const zeros = encodeEntry({ type: 'blob', content: Buffer.alloc(80 * MiB) });
    // 80 MiB becomes 96 MiB: bits 18 to 24 of the size stand in its fourth byte.
    zeros[3] = (zeros[3] ?? 0) ^ 0x20;
    const { bytes } = sealPack([packHeader(1), zeros], new PackEntries(0));
    await expect(ingestPack(bytes, nothing)).rejects.toMatchObject({ code: 'GIT_PROTOCOL' });
  });

  it.each([true, false])('is left out by a server that can (%s), and its neighbours are read', (canFilter) =>
    withGit(async ({ path, open }) => {
      if (canFilter) await runGit(['-C', path, 'config', 'uploadpack.allowFilter', 'true']);
      await commitFiles(path, { files: { 'a.yaml': 'a: b\n', 'zeros.yaml': '\0'.repeat(17 * MiB) }, message: 'zeros' });
      const repo = await open();
      const tip = await fetchTip(repo);
      expect(text(await repo.file(tip, 'a.yaml'))).toBe('a: b\n');
      const oids = [...(await repo.tree(tip, ''))].map(([name, { oid }]) => [oid, name] as const);
      const names = new Map(oids);
      const read = new Map<string, boolean>();
      await repo.blobs(names.keys(), (oid, content) => {
        read.set(names.get(oid) ?? '', content !== undefined);
        return Promise.resolve();
      });
      expect(read.get('a.yaml')).toBe(true);
      expect(read.get('zeros.yaml')).toBe(!canFilter);
      // The next commit is taken likewise.
      await commitFiles(path, { files: { 'a.yaml': 'a: c\n' }, message: 'next' });
      expect(text(await repo.file(await fetchTip(repo), 'a.yaml'))).toBe('a: c\n');
    }),
  );
});
