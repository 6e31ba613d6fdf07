import { identityOf, nameOf } from './identity.ts';
import {
  type Manifest,
  type Problem,
  describedName,
  descriptionsOf,
  fileOfUnit,
  isOfPlace,
  placesOf,
  refOf,
  unitOf,
} from './types.ts';
import { namesIn } from './unread-words.ts';

/** What of one area is not known now, by the place in an inventory: text that could not be read; undefined: nothing of it is rendered. */
export type Unknown = ReadonlyMap<string, string | undefined>;

export interface Holders {
  /** The place from which an object, by identityKey, was applied last; undefined: from none. */
  readonly placeOf: (key: string) => string | undefined;
  /** The area of a file. */
  readonly areaOf: (path: string) => string;
  /** By area. */
  readonly unknown: ReadonlyMap<string, Unknown>;
  /** Whether something of a place cannot be read now, or is not followed. */
  readonly mayStandIn: (place: string) => boolean;
}

interface Untaken {
  readonly manifests: readonly Manifest[];
  readonly problems: readonly Problem[];
}

/**
 * Without definitions of objects that were applied from somewhere else, where it is not known now what stands there: that one still has the
 * object, of another tenant in any case, and of the same one where it may still define it. Else a chart that cannot be rendered for a
 * moment would put the version of a file in the place of its own.
 */
export function leavingOutTaken(manifests: readonly Manifest[], holders: Holders): Untaken {
  const { placeOf, areaOf, mayStandIn } = holders;
  const mayDefine = definitionsOf(manifests, holders.unknown);
  const problems: Problem[] = [];
  const left = manifests.filter((manifest) => {
    const { object, origin } = manifest;
    const place = placeOf(identityOf(object));
    if (place === undefined || isOfPlace(origin, place)) return true;
    const refuse = (why: string, hint: string): false => {
      const message = `${nameOf(refOf(object))} came from ${why}: it is not applied`;
      problems.push({ severity: 'error', path: origin.path, line: origin.line, message, hint });
      return false;
    };
    const area = areaOf(place);
    if (area !== areaOf(origin.path)) {
      if (!mayStandIn(place)) return true;
      const why = `${fileOfUnit(place)}, of another tenant, which cannot be read now`;
      return refuse(why, 'it stays as it is until that file can be read');
    }
    const holder = mayDefine(area, place, object.metadata.name);
    if (holder === undefined) return true;
    return refuse(holder, 'it stays as it is until that is known again, or is taken out of Git');
  });
  return { manifests: left, problems };
}

/** Who may still define an object of this name that was applied from a place, and why that is not known; undefined: nobody. */
function definitionsOf(
  manifests: readonly Manifest[],
  unknown: Holders['unknown'],
): (area: string, place: string, name: string) => string | undefined {
  /** What is described may have moved with its description. */
  const described = new Map<string, ReadonlySet<string>>();
  for (const [area, places] of unknown) {
    const unrendered = [...places].filter(([, text]) => text === undefined);
    described.set(area, new Set(unrendered.flatMap(([place]) => descriptionsOf(place).slice(-1))));
  }
  let rendered: ReadonlySet<string> | undefined;
  const isRendered = (place: string): boolean =>
    (rendered ??= new Set(manifests.flatMap(({ origin }) => placesOf(unitOf(origin))))).has(place);
  const named = new Map<string, (name: string) => boolean>();
  return (area, place, name) => {
    const places = unknown.get(area);
    for (const one of placesOf(place)) {
      if (places?.has(one) !== true) continue;
      const text = places.get(one);
      if (text === undefined) return `${shownPlace(one)}, which is not rendered now`;
      const isNamed = named.get(text) ?? namesIn(text);
      named.set(text, isNamed);
      if (isNamed(name)) return `${shownPlace(one)}, which cannot be read now`;
    }
    const moved = descriptionsOf(place).find((one) => described.get(area)?.has(one) === true && !isRendered(place));
    return moved === undefined ? undefined : `${shownDescription(moved)}, which is not rendered now`;
  };
}

function shownPlace(place: string): string {
  const description = descriptionsOf(place).at(-1);
  return description === undefined ? place : `${shownDescription(description)} (${fileOfUnit(place)})`;
}

const shownDescription = (description: string): string =>
  description.startsWith('HelmRelease/')
    ? `the chart of HelmRelease ${description.slice('HelmRelease/'.length)}`
    : `the ${describedName(`#${description}`)}`;
