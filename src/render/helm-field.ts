import { isDeepStrictEqual } from 'node:util';
import type { Steps } from '../lib/turns.ts';
import { isObject } from '../manifest/edit-value.ts';
import { identityKey, nameOf } from '../manifest/identity.ts';
import { readYaml, valueOf } from '../manifest/read-yaml.ts';
import type { HelmOrigin, KubeObject } from '../manifest/types.ts';
import { pathIn } from './helm-chart.ts';
import { describing, type HelmEditing, releaseIn } from './helm-edit.ts';
import { releasesIn } from './argo-release.ts';
import { indexed } from './object-index.ts';
import type { Edit, FieldGoal } from './renderer.ts';
import { textAt } from './source-bytes.ts';
import { editedFiles } from './tree-files.ts';

/** Places that are tried, each by rendering. */
const mostTried = 24;
const mostLength = 256 * 1024;

type Path = readonly string[];

/** A value of a HelmRelease, and what it is to be. */
interface Candidate {
  readonly path: Path;
  readonly value: string;
}

/**
 * Gives a field of an object of a chart a value, by one value of its HelmRelease: one that says what the field says now, or the tag of its image.
 * Which of them it is, is found out by rendering.
 */
export function* setFieldOfChart(goal: FieldGoal, origin: HelmOrigin, editing: HelmEditing): Steps<Edit> {
  const { byIdentity } = yield* indexed(goal.tip);
  const key = identityKey(goal.object);
  const now = byIdentity.get(key)?.object;
  const refused = (reason: string): Edit => ({ kind: 'refused', reason, paths: [origin.path] });
  if (!now) return refused(`${nameOf(goal.object)} is not in Git`);
  const old = fieldAt(now, goal.field);
  if (typeof old !== 'string' || typeof goal.value !== 'string') return refused('only a text of a chart is changed');
  if (old === goal.value) return { kind: 'edited', files: new Map() };
  const expected = withField(now, goal.field, goal.value);
  // Values that an Application says as one text are not changed within.
  const valuesField =
    origin.release.kind === 'Application' ? ['spec', 'source', 'helm', 'valuesObject'] : ['spec', 'values'];
  const candidates = yield* candidatesFor(old, goal.value, origin, goal);
  for (const { path, value } of candidates.slice(0, mostTried)) {
    const made = yield* setReleaseField({ ...goal, field: [...valuesField, ...path], value }, origin, editing);
    if (made.kind === 'refused' || made.files.size === 0) continue;
    const { manifests } = yield* editing.render(editedFiles(goal.tip.files, made.files));
    const after = (yield* indexed({ manifests })).byIdentity;
    const others = goal.tip.manifests.filter(({ object }) => object !== now);
    const isAlone = others.every(({ object }) => {
      const { apiVersion, kind, metadata } = object;
      const ref = {
        apiVersion,
        kind,
        name: metadata.name,
        ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
      };
      const other = after.get(identityKey(ref))?.object;
      return other === object || isDeepStrictEqual(other, object);
    });
    if (isAlone && isDeepStrictEqual(after.get(key)?.object, expected)) return made;
  }
  return refused(
    `no value of ${nameOf(origin.release)} is what alone sets ${goal.field.join('.')} of ${nameOf(goal.object)}`,
  );
}

/** Gives a field of a HelmRelease a value, where it is written: `['spec', 'values', 'image', 'tag']`. */
export function setReleaseField(goal: FieldGoal, origin: HelmOrigin, { editSources }: HelmEditing): Steps<Edit> {
  const manifest = describing(origin.release, origin);
  return editSources({ ...goal, object: origin.release, tip: { files: goal.tip.files, manifests: [manifest] } });
}

function* candidatesFor(
  old: string,
  next: string,
  origin: HelmOrigin,
  { tip }: FieldGoal,
): Steps<readonly Candidate[]> {
  const [was, is] = [taggedIn(old), taggedIn(next)];
  const object = yield* releaseIn(origin, tip.files);
  const [release] = object ? releasesIn({ object, origin: origin.source }) : [];
  if (!release) return [];
  const found: Candidate[] = [];
  const seen = new Set<string>();
  const look = (value: unknown, path: Path): void => {
    if (isObject(value)) return Object.entries(value).forEach(([name, member]) => look(member, [...path, name]));
    const text = typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
    const isKnown = seen.has(JSON.stringify(path));
    seen.add(JSON.stringify(path));
    if (isKnown || text === undefined) return;
    if (text === old) found.push({ path, value: next });
    else if (was && is && was.name === is.name && text === was.tag) found.push({ path, value: is.tag });
  };
  // What it says itself goes before what its chart says.
  look(release.values, []);
  yield;
  const folder = release.chart.kind === 'folder' ? pathIn('', release.chart.path) : undefined;
  const text = folder === undefined ? undefined : yield* textAt(pathIn(folder, 'values.yaml') ?? '', tip);
  if (text !== undefined && text.length <= mostLength) look(yamlIn(text), []);
  return found;
}

function yamlIn(text: string): unknown {
  try {
    const [document] = readYaml(text);
    return document && document.errors.length === 0 ? valueOf(document) : undefined;
  } catch {
    return undefined;
  }
}

/** An image in two; undefined: it has no tag. */
function taggedIn(image: string): { readonly name: string; readonly tag: string } | undefined {
  const found = /^([^@]+):([^:/@]+)$/.exec(image);
  return found?.[1] === undefined || found[2] === undefined ? undefined : { name: found[1], tag: found[2] };
}

function fieldAt(value: unknown, field: readonly (string | number)[]): unknown {
  let found = value;
  for (const name of field) found = (found as Record<string | number, unknown> | undefined)?.[name];
  return found;
}

function withField(whole: unknown, [name, ...rest]: readonly (string | number)[], value: unknown): KubeObject {
  if (name === undefined) return value as KubeObject;
  if (Array.isArray(whole))
    return whole.map((item: unknown, at) => (at === name ? withField(item, rest, value) : item)) as never;
  const members = (whole ?? {}) as Record<string, unknown>;
  return { ...members, [name]: withField(members[name], rest, value) } as never;
}
