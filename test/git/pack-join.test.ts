import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Folder } from '../../src/git/folder.ts';
import { newObject, objectId } from '../../src/git/objects.ts';
import { ObjectStore } from '../../src/git/object-store.ts';
import { encodePack } from '../../src/git/pack-format.ts';
import { ingestPack } from '../../src/git/pack-ingest.ts';
import { PendingObjects } from '../../src/git/pending-objects.ts';
import { fillLargeRepo } from '../../src/sandbox/large-repo.ts';
import { fsck, lines, revParse, runGit, withTempDir } from '../helpers/temp-repo.ts';

const nothing = (): undefined => undefined;

/** A folder of fifty files of which one is another in each version. */
function folderAt(version: number): { oid: string; folder: Folder } {
  const entries = Array.from({ length: 50 }, (_, at) => {
    const oid = objectId('blob', Buffer.from(at === 9 ? `version ${version}` : 'same'));
    return [`file-${at}`, { mode: '100644', oid }] as const;
  });
  const folder = Folder.empty.with(new Map(entries));
  return { oid: objectId('tree', folder.content), folder };
}

/** A pack in which each version but the last is the way back from the one after it. */
function packOf(versions: readonly number[]): ReturnType<typeof encodePack> {
  const pending = new PendingObjects();
  let before: string | undefined;
  for (const version of versions) {
    const { oid, folder } = folderAt(version);
    pending.addFolder({ oid, folder, before });
    before = oid;
  }
  return encodePack(pending.unknown(() => false));
}

async function packNames(gitdir: string): Promise<string[]> {
  return (await readdir(join(gitdir, 'objects/pack'))).toSorted();
}

describe('many small packs', () => {
  it('are one afterwards that native git reads, though each holds what others are made of the other way round', () =>
    withTempDir(async (dir) => {
      const gitdir = join(dir, 'mirror.git');
      await runGit(['init', '--quiet', '--bare', gitdir]);
      const store = await ObjectStore.open(gitdir);
      for (let at = 0; at < 60; at += 1) {
        const versions = [at, at + 1, at + 2, at + 3];
        await store.addPack(packOf(at % 2 === 0 ? versions : versions.toReversed()));
      }
      const large = newObject('blob', Buffer.from('alone'));
      await store.addPack(encodePack([large]));
      expect(await store.compact()).toBe(61);
      store.close();
      const names = await packNames(gitdir);
      expect(names).toHaveLength(2);
      const listing = await runGit(['verify-pack', '-v', join(gitdir, 'objects/pack', names[0] ?? '')]);
      expect(lines(listing).filter((line) => /^[0-9a-f]{40} tree/.test(line))).toHaveLength(63);
      const again = await ObjectStore.open(gitdir);
      for (let version = 0; version < 63; version += 1) {
        const { oid, folder } = folderAt(version);
        expect(again.readNow(oid)?.content.equals(folder.content)).toBe(true);
      }
      expect(again.readNow(large.oid)?.content.toString()).toBe('alone');
      // Less than a third are whole: deflated bytes and deltas were taken over.
      expect(again.packs[0]?.bytes).toBeLessThan(40_000);
      again.close();
    }));

  it('of native git are joined with their deltas, and sound', () =>
    withTempDir(async (dir) => {
      const native = join(dir, 'native.git');
      await runGit(['init', '--quiet', '--bare', '--initial-branch=main', native]);
      await fillLargeRepo(native, { files: 100, commits: 56 });
      const gitdir = join(dir, 'mirror.git');
      await runGit(['init', '--quiet', '--bare', gitdir]);
      const store = await ObjectStore.open(gitdir);
      const objects = lines(
        await runGit(['-C', native, 'cat-file', '--batch-all-objects', '--batch-check=%(objectname)']),
      );
      // Every object is in two packs, in each next to others.
      for (const stride of [1, 2]) {
        const parts = Array.from({ length: 3 }, () => [] as string[]);
        objects.forEach((oid, at) => parts[Math.floor((at * stride) / 7) % 3]?.push(oid));
        for (const [at, part] of parts.entries()) {
          const stem = join(dir, `part-${stride}-${at}`);
          const sum = await runGit(
            ['-C', native, 'pack-objects', '--quiet', '--delta-base-offset', stem],
            `${part.join('\n')}\n`,
          );
          await store.addPack(await ingestPack(await readFile(`${stem}-${sum.trim()}.pack`), nothing));
        }
      }
      const others = Array.from({ length: 46 }, (_, at) => newObject('blob', Buffer.from(`other ${at}`)));
      for (const other of others) await store.addPack(encodePack([other]));
      expect(await store.compact()).toBe(52);
      expect(store.packs).toMatchObject([{ objects: objects.length + others.length }]);
      store.close();
      await runGit(['-C', gitdir, 'update-ref', 'refs/heads/main', await revParse(native, 'main')]);
      await fsck(gitdir);
    }));

  it('that one of them has all of stay that one', () =>
    withTempDir(async (dir) => {
      const gitdir = join(dir, 'mirror.git');
      const store = await ObjectStore.open(gitdir);
      const blobs = Array.from({ length: 55 }, (_, at) => newObject('blob', Buffer.from(String(at))));
      for (const blob of blobs) await store.addPack(encodePack([blob]));
      await store.addPack(encodePack(blobs));
      expect(await store.compact()).toBe(55);
      expect(store.packs).toMatchObject([{ objects: 55 }]);
      for (const { oid } of blobs) expect(store.readNow(oid)).toBeDefined();
      store.close();
      expect(await packNames(gitdir)).toHaveLength(2);
    }));
});
