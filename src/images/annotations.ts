import { own } from '../lib/own.ts';
import { nearest } from '../lib/nearest.ts';
import type { LineFinder } from '../manifest/locate.ts';
import type { Manifest, Problem } from '../manifest/types.ts';
import { type ImagePlace, type Mapping, placeByMapping, placesOf } from './places.ts';
import { type ImagePolicy, plainly, readPattern } from './policy.ts';
import { type ImageReference, readReference } from './reference.ts';
import { readWishes, withWishes } from './wishes.ts';

/** The policy of one container, with where its image stands. */
export interface ContainerPolicy {
  readonly manifest: Manifest;
  readonly place: ImagePlace;
  readonly reference: ImageReference;
  readonly policy: ImagePolicy;
}

export interface ReadPolicies {
  readonly policies: readonly ContainerPolicy[];
  readonly problems: readonly Problem[];
}

/** The later one is what Flux v1 was renamed to. */
const prefixes = ['flux.weave.works/', 'fluxcd.io/'] as const;
const filterPrefix = 'filter.fluxcd.io/';
const mappingPrefixes = { repository: 'repository.fluxcd.io/', registry: 'registry.fluxcd.io/', tag: 'tag.fluxcd.io/' };

/** A tag pattern, and the annotation that says it. */
interface Pattern {
  readonly annotation: string;
  readonly text: string;
}

/**
 * The policies that annotations of Flux v1 give the containers of a workload or a HelmRelease: those of one that is automated, and neither
 * locked nor ignored. What cannot be read is told with its line, and gives its container no policy.
 */
export function readAnnotations(manifest: Manifest, lineOf: LineFinder): ReadPolicies {
  const { object, origin } = manifest;
  const annotations = textsOf(object.metadata.annotations);
  const found = placesOf(object);
  const problems: Problem[] = [];
  const tell = (severity: Problem['severity'], annotation: string, message: string, hint?: string): void => {
    const line = lineOf(origin, `metadata.annotations["${annotation}"]`) ?? origin.line;
    problems.push({
      severity,
      path: origin.path,
      line,
      message: `${annotation}: ${message}`,
      ...(hint ? { hint } : {}),
    });
  };
  const none = (): ReadPolicies => ({ policies: [], problems });
  if (!Object.keys(annotations).some(isOurs)) return none();
  const automated = prefixes.flatMap((prefix) => oneOf(annotations, `${prefix}automated`));
  for (const { annotation, text } of automated)
    if (text !== 'true' && text !== 'false')
      tell('warning', annotation, `"${shown(text)}" is not "true", so nothing is automated`);
  const [first] = automated;
  if (new Set(automated.map(({ text }) => text)).size > 1 && first) {
    tell(
      'error',
      first.annotation,
      'is said in two ways, so nothing is automated',
      'leave out one of both annotations',
    );
    return none();
  }
  if (first?.text !== 'true') return none();
  if (!found) {
    tell('warning', first.annotation, `has no effect on a ${object.kind}: it has no containers`);
    return none();
  }
  const places = withMappings(manifest, annotations, found, tell);
  const patterns = patternsOf(annotations, places, tell);
  const wishes = readWishes(annotations);
  for (const { annotation, problem } of wishes.wrong)
    tell('error', annotation, problem, 'until then nothing of it is upgraded');
  if (wishes.wrong.length > 0 || isKept(annotations)) return none();
  const policies = places.flatMap((place): readonly ContainerPolicy[] => {
    const pattern = patterns.get(place.container);
    if (pattern === 'wrong') return [];
    const text = pattern?.text ?? 'glob:*';
    if (!pattern)
      tell(
        'warning',
        first.annotation,
        `container ${place.container} has no pattern of tags, so whatever image was made last is taken`,
      );
    const selection = readPattern(text);
    if ('problem' in selection) {
      tell('error', pattern?.annotation ?? first.annotation, selection.problem, 'until then nothing is taken');
      return [];
    }
    const reference = readReference(place.image);
    if ('problem' in reference) {
      tell(
        'error',
        pattern?.annotation ?? first.annotation,
        `the image "${shown(place.image)}" cannot be read: ${reference.problem}`,
      );
      return [];
    }
    return [{ manifest, place, reference, policy: withWishes({ ...plainly, text, selection }, wishes) }];
  });
  return { policies, problems };
}

const isOurs = (annotation: string): boolean =>
  annotation.startsWith(filterPrefix) || prefixes.some((prefix) => annotation.startsWith(prefix));

/** Locked by somebody, or not applied at all. */
const isKept = (annotations: Readonly<Record<string, string>>): boolean =>
  prefixes.some((prefix) => ['locked', 'ignore'].some((name) => own(annotations, `${prefix}${name}`) === 'true'));

/** Why a workload is locked, as whoever locked it says; undefined: it is not. */
export function lockOf(manifest: Manifest): { readonly user?: string; readonly message?: string } | undefined {
  const annotations = textsOf(manifest.object.metadata.annotations);
  const prefix = prefixes.findLast((one) => own(annotations, `${one}locked`) === 'true');
  if (prefix === undefined) return undefined;
  const [user, message] = ['locked_user', 'locked_msg'].map((name) => own(annotations, `${prefix}${name}`));
  return {
    ...(user === undefined ? {} : { user: shown(user) }),
    ...(message === undefined ? {} : { message: shown(message) }),
  };
}

type Tell = (severity: Problem['severity'], annotation: string, message: string, hint?: string) => void;

/** By container; `wrong`: it is said in several ways. */
function patternsOf(
  annotations: Readonly<Record<string, string>>,
  places: readonly ImagePlace[],
  tell: Tell,
): ReadonlyMap<string, Pattern | 'wrong'> {
  const patterns = new Map<string, Pattern | 'wrong'>();
  const tagPrefixes = [filterPrefix, ...prefixes.map((prefix) => `${prefix}tag.`)];
  for (const [annotation, text] of Object.entries(annotations)) {
    const prefix = tagPrefixes.find((one) => annotation.startsWith(one));
    if (prefix === undefined) continue;
    const container = annotation.slice(prefix.length);
    const names = places.map((place) => place.container);
    if (!names.includes(container)) {
      const meant = nearest(container, names);
      const hint =
        meant === undefined
          ? names.length > 0
            ? `it has ${shown(names.join(', '))}`
            : undefined
          : `did you mean ${meant}?`;
      tell('warning', annotation, `there is no container ${shown(container)}`, hint);
      continue;
    }
    const former = patterns.get(container);
    if (former !== undefined && (former === 'wrong' || former.text !== text)) {
      tell(
        'error',
        annotation,
        `the tags of ${container} are said in two ways, so none is taken`,
        'leave out one of both annotations',
      );
      patterns.set(container, 'wrong');
    } else patterns.set(container, { annotation, text });
  }
  return patterns;
}

/** Images that mappings name go before those that are found by their shape. */
function withMappings(
  { object, origin }: Manifest,
  annotations: Readonly<Record<string, string>>,
  found: readonly ImagePlace[],
  tell: Tell,
): readonly ImagePlace[] {
  if (object.kind !== 'HelmRelease') return found;
  const mapped = new Map<string, ImagePlace>();
  for (const [annotation, repository] of Object.entries(annotations)) {
    if (!annotation.startsWith(mappingPrefixes.repository)) continue;
    const alias = annotation.slice(mappingPrefixes.repository.length);
    const [registry, tag] = [mappingPrefixes.registry, mappingPrefixes.tag].map((prefix) =>
      own(annotations, `${prefix}${alias}`),
    );
    const mapping: Mapping = {
      repository,
      ...(registry === undefined ? {} : { registry }),
      ...(tag === undefined ? {} : { tag }),
    };
    const place = placeByMapping(object, alias, mapping);
    if ('problem' in place) tell('error', annotation, place.problem, `paths begin below spec.values of ${origin.path}`);
    else mapped.set(alias, place);
  }
  return [...mapped.values(), ...found.filter(({ container }) => !mapped.has(container))];
}

function oneOf(annotations: Readonly<Record<string, string>>, annotation: string): readonly Pattern[] {
  const text = own(annotations, annotation);
  return text === undefined ? [] : [{ annotation, text }];
}

const textsOf = (annotations: unknown): Readonly<Record<string, string>> =>
  typeof annotations === 'object' && annotations !== null
    ? Object.fromEntries(
        Object.entries(annotations).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
      )
    : {};

const shown = (text: string): string => (text.length > 80 ? `${text.slice(0, 80)}…` : text);
