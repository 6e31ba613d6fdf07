import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyDelta, encodeDelta } from '../../src/git/delta.ts';
import { Folder } from '../../src/git/folder.ts';
import { objectId } from '../../src/git/objects.ts';
import { PendingObjects } from '../../src/git/pending-objects.ts';

const bytes = (max: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ maxLength: max }).map((array) => Buffer.from(array));
/** Long enough to need several copies. */
const long = fc
  .tuple(bytes(300), fc.constantFrom(1, 10, 500))
  .map(([piece, times]) => Buffer.concat(Array.from({ length: times }, () => piece)));

describe('a delta', () => {
  it('leads from the base to the target, wherever and whatever was put in or taken out', () => {
    fc.assert(
      fc.property(long, bytes(400), fc.nat(), fc.nat(), (base, inserted, from, length) => {
        const start = from % (base.length + 1);
        const end = start + (length % (base.length - start + 1));
        const target = Buffer.concat([base.subarray(0, start), inserted, base.subarray(end)]);
        const delta = encodeDelta(base, target);
        if (delta) expect(applyDelta(delta, base).equals(target)).toBe(true);
        else expect(inserted.length * 2).toBeGreaterThan(target.length);
      }),
    );
  });

  it('is short where little differs', () => {
    const base = Buffer.alloc(100_000, 'abcdefg');
    const target = Buffer.concat([base.subarray(0, 70_000), Buffer.from('0123456789'), base.subarray(70_010)]);
    expect(encodeDelta(base, target)?.length).toBeLessThan(40);
    expect(encodeDelta(base, base)?.length).toBeLessThan(20);
  });
});

describe('pending folders', () => {
  const folderAt = (version: number, spot = version % 30): Folder =>
    Folder.empty.with(
      new Map(
        Array.from({ length: 30 }, (_, at) => [
          `file-${at}`,
          { mode: '100644', oid: objectId('blob', Buffer.from(String(at === spot ? version : 0))) },
        ]),
      ),
    );
  const idOf = (folder: Folder): string => objectId('tree', folder.content);

  it('can all be had again, whatever followed whatever, and again', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(6), { minLength: 1, maxLength: 80 }), (versions) => {
        const pending = new PendingObjects();
        let before: string | undefined;
        for (const version of versions) {
          const folder = folderAt(version);
          pending.addFolder({ oid: idOf(folder), folder, before });
          before = idOf(folder);
        }
        const packed = new Map(pending.unknown(() => false).map((object) => [object.oid, object]));
        expect(new Set(packed.keys())).toEqual(new Set(versions.map((version) => idOf(folderAt(version)))));
        const contentOf = (oid: string, steps: number): Buffer => {
          expect(steps).toBeLessThanOrEqual(50);
          const object = packed.get(oid);
          if (!object) throw new Error(`${oid} is missing`);
          return 'delta' in object ? applyDelta(object.delta, contentOf(object.base, steps + 1)) : object.content;
        };
        for (const oid of packed.keys()) {
          expect(objectId('tree', contentOf(oid, 0))).toBe(oid);
          expect(pending.folder(oid)?.content.equals(contentOf(oid, 0))).toBe(true);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('are whole once, and every fifty versions', () => {
    const pending = new PendingObjects();
    let before: string | undefined;
    for (let version = 0; version < 130; version += 1) {
      const folder = folderAt(version, 7);
      pending.addFolder({ oid: idOf(folder), folder, before });
      before = idOf(folder);
    }
    const whole = pending.unknown(() => false).filter((object) => !('delta' in object));
    expect(whole).toHaveLength(3);
  });

  it('keep what they are made of, also where it is known', () => {
    const pending = new PendingObjects();
    const [first, second] = [folderAt(1), folderAt(2)];
    pending.addFolder({ oid: idOf(first), folder: first, before: undefined });
    pending.addFolder({ oid: idOf(second), folder: second, before: idOf(first) });
    expect(pending.unknown((oid) => oid === idOf(second))).toHaveLength(2);
    expect(pending.unknown(() => true).map(({ oid }) => oid)).toEqual([idOf(second)]);
  });
});
