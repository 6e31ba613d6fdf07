import type { Steps } from '../lib/turns.ts';
import type { FileOfTree, Rendering } from './load.ts';
import { inMiB } from './limits.ts';
import { lengthOf, valuesIn } from './measure.ts';
import type { KubeObject } from './types.ts';
import { anyWord, unreadWords } from './unread-words.ts';

/** What the manifests of one tree may take together, so that nobody fills the agent's memory for all. */
export interface TreeBudget {
  /**
   * Takes a file, instead of what was taken for this path before; gives the paths of those for which there is no room then: the largest of
   * the tenant that has the most, itself perhaps.
   */
  add(path: string, weight: number): readonly string[];
  /**
   * Whether there may be room for a file of which only the length is known. Where there is not, others would have to go: those of another tenant,
   * or one of its own that is twice as large. Else each of many large files would be read in turn, only to push out the one before.
   */
  mayFit(path: string, length: number): boolean;
  readonly left: number;
}

/** An object takes about so much beside its text: with what is planned, noted and watched of it, as measured of 135,000 small ones. */
const perObject = 2_048;
/** When there is no room, so much is made that not each further file costs another look at all of them. */
const keptShare = 0.9;

/** Of the values of an object so many are counted with it; each further one takes about so much, however short it is written. */
const fewValues = 64;
const perValue = 64;

const besideText = (object: KubeObject): number => perObject + perValue * Math.max(0, valuesIn(object) - fewValues);

/** What a file takes that was read. `length`: of its text. Yields after each object. */
export function* weighingFile(length: number, { parsed }: Rendering): Steps<number> {
  if (parsed.manifests.length === 0) return parsed.unreadableText.length;
  let weight = length;
  for (const { object } of parsed.manifests) {
    weight += besideText(object);
    yield;
  }
  return weight;
}

/** What a renderer made, of whatever: its objects as JSON. Yields after each. */
export function* weighing({ parsed }: Rendering): Steps<number> {
  let weight = parsed.unreadableText.length;
  for (const { object } of parsed.manifests) {
    weight += lengthOf(object) + besideText(object);
    yield;
  }
  return weight;
}

interface Area {
  weight: number;
  readonly files: Map<string, number>;
}

/** `areaOf`: the tenant of a file; the empty string: nobody's. */
export function createTreeBudget(mostBytes: number, areaOf: (path: string) => string): TreeBudget {
  const areas = new Map<string, Area>();
  let weight = 0;
  /** The one that has the most, and how much the next one has. */
  const heaviest = (): readonly [Area | undefined, number] => {
    const [first, second] = [...areas.values()].sort((a, b) => b.weight - a.weight);
    return [first, second?.weight ?? 0];
  };
  const makeRoom = (): readonly string[] => {
    const gone: string[] = [];
    const kept = mostBytes * keptShare;
    while (weight > kept) {
      const [area, next] = heaviest();
      if (!area || area.files.size === 0) break;
      const before = gone.length;
      for (const [path, ofFile] of [...area.files].sort(([, a], [, b]) => b - a)) {
        if (gone.length > before && (weight <= kept || area.weight < next)) break;
        area.files.delete(path);
        area.weight -= ofFile;
        weight -= ofFile;
        gone.push(path);
      }
    }
    return gone;
  };
  return {
    get left() {
      return mostBytes * keptShare - weight;
    },
    mayFit(path, length) {
      if (weight + length <= mostBytes) return true;
      const own = areas.get(areaOf(path));
      const others = [...areas.values()].filter((area) => area !== own);
      if (others.some((area) => area.weight > (own?.weight ?? 0) + length)) return true;
      return [...(own?.files.values() ?? [])].some((ofFile) => ofFile >= 2 * length);
    },
    add(path, ofFile) {
      const name = areaOf(path);
      const area = areas.get(name) ?? { weight: 0, files: new Map<string, number>() };
      areas.set(name, area);
      const more = ofFile - (area.files.get(path) ?? 0);
      area.files.set(path, ofFile);
      area.weight += more;
      weight += more;
      return weight > mostBytes ? makeRoom() : [];
    },
  };
}

/** Why something is left out that there is no room for. */
export const noRoom = (mostBytes: number): string =>
  `is left out: all manifests together have more than the ${inMiB(mostBytes)} of --max-tree-size`;

/** Shorter files are read to know. */
export const longFile = 32 * 1024;

/** A file for which there is no room; `read` undefined: it was not read at all. What was applied of it stays. */
export function crowdedOut(
  path: string,
  { oid, mode }: FileOfTree,
  read: Rendering | undefined,
  mostBytes: number,
): Rendering {
  const what = noRoom(mostBytes);
  const hint = 'take files away, name them in .serinignore, or raise --max-tree-size and the memory of the pod with it';
  const names = read?.parsed.manifests.map(({ object }) => object.metadata.name).join(' ');
  return {
    oid,
    mode,
    parsed: {
      manifests: [],
      problems: [{ severity: 'error', path, line: 1, message: `the file ${what}`, hint }],
      unreadableText: read ? unreadWords(`${names ?? ''} ${read.parsed.unreadableText}`) : anyWord,
      stray: { line: 1, what },
    },
    ignores: undefined,
    kustomization: undefined,
    placed: undefined,
    isGivenUp: true,
  };
}
