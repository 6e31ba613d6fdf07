import { applyDelta, encodeDelta } from './delta.ts';
import { Folder } from './folder.ts';
import type { NewObject } from './objects.ts';
import type { PackObject } from './pack-format.ts';
import type { EditedFolder } from './tree-edit.ts';

/** Native git's own limit on how many versions stand between one and a whole one. */
const MAX_STEPS = 50;
/** A shorter folder is as short as the way to it. */
const MIN_BYTES = 256;

/**
 * The objects of a push in the making. A long folder that every commit changes is held once, as the last commit has it, and its
 * earlier versions as the way back to them. Nothing leads back to itself: what stands now is always whole.
 */
export class PendingObjects {
  readonly #objects = new Map<string, PackObject>();
  readonly #folders = new Map<string, Folder>();
  /** How many steps lead to a version at most. */
  readonly #steps = new Map<string, number>();

  add(object: NewObject): void {
    this.#objects.set(object.oid, object);
  }

  addFolder({ oid, folder, before }: EditedFolder): void {
    // Also where it stood before and is only the way from another one by now.
    this.#objects.set(oid, { type: 'tree', oid, content: folder.content });
    this.#folders.set(oid, folder);
    if (before !== undefined && before !== oid) this.#replace(before, oid, folder.content);
  }

  #replace(before: string, oid: string, content: Buffer): void {
    const old = this.#objects.get(before);
    const steps = (this.#steps.get(before) ?? 0) + 1;
    if (!old || 'delta' in old || steps > MAX_STEPS || old.content.length < MIN_BYTES) return;
    const delta = encodeDelta(content, old.content);
    if (!delta) return;
    this.#objects.set(before, { oid: before, base: oid, delta });
    this.#folders.delete(before);
    this.#steps.set(oid, Math.max(steps, this.#steps.get(oid) ?? 0));
  }

  /** Undefined where it is none of these. */
  folder(oid: string): Folder | undefined {
    const known = this.#folders.get(oid);
    if (known) return known;
    const content = this.#contentOf(oid);
    return content && Folder.parse(content);
  }

  #contentOf(oid: string): Buffer | undefined {
    const object = this.#objects.get(oid);
    if (!object || !('delta' in object)) return object?.content;
    const base = this.#contentOf(object.base);
    return base && applyDelta(object.delta, base);
  }

  /** What stands now, by id. */
  get folders(): ReadonlyMap<string, Folder> {
    return this.#folders;
  }

  /** All but those that are known, together with whatever they are made of. */
  unknown(isKnown: (oid: string) => boolean): PackObject[] {
    const objects = [...this.#objects.values()];
    const bases = new Set(objects.flatMap((object) => ('delta' in object ? object.base : [])));
    return objects.filter(({ oid }) => bases.has(oid) || !isKnown(oid));
  }
}
