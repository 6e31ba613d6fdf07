import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Folder } from '../../src/git/folder.ts';
import { objectId, newObject } from '../../src/git/objects.ts';
import { ObjectStore } from '../../src/git/object-store.ts';
import { encodePack } from '../../src/git/pack-format.ts';
import { encodePackIndex } from '../../src/git/pack-index.ts';
import { ingestPack } from '../../src/git/pack-ingest.ts';
import { pktLine, readPackets } from '../../src/git/pkt-line.ts';
import { editTree } from '../../src/git/tree-edit.ts';
import { commitFiles, fsck, lines, runGit, withTempDir } from '../helpers/temp-repo.ts';
import { fillLargeRepo } from '../../src/sandbox/large-repo.ts';

const nothing = (): undefined => undefined;

/** A bare repository of native git whose history is packed with long delta chains. */
async function packedRepo(dir: string): Promise<{ path: string; pack: Buffer; idx: Buffer }> {
  const path = join(dir, 'native.git');
  await runGit(['init', '--quiet', '--bare', '--initial-branch=main', path]);
  await fillLargeRepo(path, { files: 300, commits: 200 });
  await runGit(['-C', path, '-c', 'user.name=a', '-c', 'user.email=b', 'tag', '-a', '-m', 'a tag', 'v1', 'main']);
  await runGit(['-C', path, 'repack', '-adfq', '--depth=50', '--window=20']);
  const folder = join(path, 'objects/pack');
  const names = await readdir(folder);
  const read = (ending: string): Promise<Buffer> =>
    readFile(join(folder, names.find((name) => name.endsWith(ending)) ?? ''));
  return { path, pack: await read('.pack'), idx: await read('.idx') };
}

/** Ids of what is read together, computed from what was read. */
async function takenTogether(store: ObjectStore, ids: readonly string[]): Promise<readonly string[]> {
  const taken: string[] = [];
  await store.readMany(ids, (oid, object) => {
    expect(object && objectId(object.type, object.content)).toBe(oid);
    taken.push(oid);
    return Promise.resolve();
  });
  return taken.toSorted();
}

describe('packs', () => {
  it('of native git get the very index that native git gives them, and every object reads the same', () =>
    withTempDir(async (dir) => {
      const { path, pack, idx } = await packedRepo(dir);
      const ingested = await ingestPack(pack, nothing);
      expect(encodePackIndex(ingested.entries, ingested.checksum).equals(idx)).toBe(true);
      expect(ingested.commits).toHaveLength(201);
      const store = await ObjectStore.open(join(dir, 'mirror.git'));
      await store.addPack(ingested);
      const listing = lines(await runGit(['-C', path, 'cat-file', '--batch-all-objects', '--batch-check']));
      expect(listing.length).toBe(ingested.entries.length);
      for (const line of listing) {
        const [oid = '', type, size] = line.split(' ');
        const object = await store.read(oid);
        expect(
          object && { type: object.type, size: object.content.length, oid: objectId(object.type, object.content) },
        ).toEqual({
          type,
          size: Number(size),
          oid,
        });
      }
      const ids = listing.map((line) => line.slice(0, 40));
      expect(await takenTogether(store, ids)).toEqual(ids.toSorted());
      // A part of them, each once however often it is named; what is not here is told before anything is read.
      const some = ids.filter((_, at) => at % 7 === 0);
      expect(await takenTogether(store, [...some, ...some])).toEqual(some.toSorted());
      await expect(takenTogether(store, [...some, '0'.repeat(40)])).rejects.toMatchObject({ code: 'GIT_NOT_FOUND' });
      store.close();
      // With hardly any room for what others are made of.
      const poor = await ObjectStore.open(join(dir, 'mirror.git'), 2_000);
      for (const oid of ids) {
        const object = poor.readNow(oid);
        expect(object && objectId(object.type, object.content)).toBe(oid);
      }
      expect(await takenTogether(poor, ids)).toEqual(ids.toSorted());
      poor.close();
    }));

  it('that are thin are completed, so that native git reads them', () =>
    withTempDir(async (dir) => {
      const { path } = await packedRepo(dir);
      const before = (await runGit(['-C', path, 'rev-parse', 'main~5'])).trim();
      const base = join(dir, 'base.git');
      await runGit(['init', '--quiet', '--bare', base]);
      await runGit(['-C', base, 'fetch', '--quiet', path, `${before}:refs/heads/main`]);
      await runGit(['-C', base, 'repack', '-adq']);
      const thin = join(dir, 'thin.pack');
      const packing = `git -C '${path}' pack-objects --revs --thin --stdout --quiet > '${thin}'`;
      await runShell(packing, `main\n^${before}\n`);
      const store = await ObjectStore.open(base);
      const bytes = await readFile(thin);
      await expect(ingestPack(bytes, nothing)).rejects.toMatchObject({ code: 'GIT_PROTOCOL' });
      const pack = await ingestPack(bytes, (oid) => store.readNow(oid));
      expect(pack.entries.length).toBeGreaterThan(bytes.readUInt32BE(8));
      await store.addPack(pack);
      store.close();
      await runGit([
        '-C',
        base,
        'update-ref',
        'refs/heads/main',
        (await runGit(['-C', path, 'rev-parse', 'main'])).trim(),
      ]);
      await fsck(base);
    }));

  it('are refused whatever single byte is changed', () =>
    withTempDir(async () => {
      const { bytes } = encodePack([newObject('blob', Buffer.from('hello')), newObject('blob', Buffer.from('world'))]);
      for (let at = 0; at < bytes.length; at += 1) {
        const harmed = Buffer.from(bytes);
        harmed[at] = (harmed[at] ?? 0) ^ 0x10;
        await expect(ingestPack(harmed, nothing)).rejects.toMatchObject({ code: 'GIT_PROTOCOL' });
      }
      for (let length = 0; length < bytes.length; length += 1) {
        await expect(ingestPack(bytes.subarray(0, length), nothing)).rejects.toMatchObject({ code: 'GIT_PROTOCOL' });
      }
    }));

  it('of any blobs come back as they were', () =>
    withTempDir(async (dir) => {
      let run = 0;
      const blobs = fc.uniqueArray(fc.uint8Array({ maxLength: 3_000 }), { maxLength: 20, selector: (b) => b.join() });
      await fc.assert(
        fc.asyncProperty(blobs, async (contents) => {
          const objects = contents.map((content) => newObject('blob', Buffer.from(content)));
          const gitdir = join(dir, `${run++}.git`);
          const store = await ObjectStore.open(gitdir);
          await store.addPack(await ingestPack(encodePack(objects).bytes, nothing));
          store.close();
          const again = await ObjectStore.open(gitdir);
          for (const { oid, content } of objects) expect(again.readNow(oid)?.content.equals(content)).toBe(true);
          expect(again.readNow('0'.repeat(40))).toBeUndefined();
          again.close();
        }),
        { numRuns: 20 },
      );
    }));
});

describe('trees', () => {
  it('edited in memory are those that native git makes of the same changes', () =>
    withTempDir(async (dir) => {
      const path = join(dir, 'oracle.git');
      await runGit(['init', '--quiet', '--bare', '--initial-branch=main', path]);
      const names = ['a', 'a.b', 'a-b', 'a0', 'b', 'ä', 'B'];
      const paths = fc.oneof(
        fc.constantFrom(...names).map((name) => `f-${name}`),
        fc.tuple(fc.constantFrom(...names), fc.constantFrom(...names)).map(([d, f]) => `d-${d}/f-${f}`),
        fc.tuple(fc.constantFrom(...names), fc.constantFrom(...names)).map(([d, f]) => `d-${d}/d-${d}/f-${f}`),
      );
      const files = (content: fc.Arbitrary<string | null>): fc.Arbitrary<Record<string, string | null>> =>
        fc.dictionary(paths, content, { maxKeys: 12, noNullPrototype: true });
      const emptyTree = (await runGit(['-C', path, 'hash-object', '-t', 'tree', '-w', '--stdin'])).trim();
      await fc.assert(
        fc.asyncProperty(files(fc.string()), files(fc.option(fc.string())), async (first, second) => {
          await runGit(['-C', path, 'update-ref', '-d', 'refs/heads/main']);
          const known = new Map<string, Buffer>([[emptyTree, Buffer.alloc(0)]]);
          let root = emptyTree;
          for (const change of [first, second]) {
            const edit = await editTree(root, new Map(Object.entries(change)), (oid) =>
              Promise.resolve(Folder.parse(known.get(oid) ?? Buffer.alloc(0))),
            );
            for (const { oid, folder } of edit.folders) known.set(oid, folder.content);
            root = edit.root;
            await commitFiles(path, { files: change, message: 'x' });
          }
          expect(root).toBe((await runGit(['-C', path, 'rev-parse', 'main^{tree}'])).trim());
        }),
        { numRuns: 25 },
      );
    }));

  it('do not let a file and a folder stand at one path', async () => {
    const blob = objectId('blob', Buffer.from('x'));
    const root = newObject('tree', Buffer.concat([Buffer.from('100644 f\0'), Buffer.from(blob, 'hex')]));
    const edit = (files: [string, string | null][]): ReturnType<typeof editTree> =>
      editTree(root.oid, new Map(files), () => Promise.resolve(Folder.parse(root.content)));
    await expect(edit([['f/below', 'x']])).rejects.toThrow('f cannot be a file and a folder');
    await expect(
      edit([
        ['g', ''],
        ['g/below', 'x'],
      ]),
    ).rejects.toThrow('g cannot be a file and a folder');
    expect((await edit([['f/below', null]])).root).toBe(root.oid);
    const swapped = await edit([
      ['f', null],
      ['f/below', 'x'],
    ]);
    expect(swapped.folders).toHaveLength(2);
  });
});

describe('packet lines', () => {
  it('come back as they were, and an answer that is cut anywhere is noticed', () => {
    const packets = fc.array(
      fc.uint8Array({ minLength: 1, maxLength: 50 }).filter((b) => b[0] !== 0x45),
      { maxLength: 6 },
    );
    fc.assert(
      fc.property(packets, fc.nat(), (payloads, cut) => {
        const bytes = Buffer.concat(payloads.map((payload) => pktLine(payload)));
        const read = [...readPackets(bytes)].map((packet) => (packet.kind === 'data' ? [...packet.payload] : []));
        expect(read).toEqual(payloads.map((payload) => [...payload]));
        const ends = new Set(
          payloads.map((_, n) => payloads.slice(0, n + 1).reduce((sum, p) => sum + p.length + 4, 0)),
        );
        const at = bytes.length === 0 ? 0 : cut % bytes.length;
        if (at > 0 && !ends.has(at)) expect(() => [...readPackets(bytes.subarray(0, at))]).toThrow();
      }),
    );
  });
});

async function runShell(command: string, input: string): Promise<void> {
  const { spawn } = await import('node:child_process');
  await new Promise<void>((done, fail) => {
    const child = spawn('sh', ['-c', command]);
    child.on('error', fail);
    child.on('close', (code) => (code === 0 ? done() : fail(new Error(`${command}: ${code}`))));
    child.stdin.end(input);
  });
}
