import type { KubeObject, ObjectRef } from '../../manifest/types.ts';
import { at, jsonOf, listOf, textOf, textsOf } from '../../lib/json.ts';
import { sameJson } from '../../lib/same-json.ts';
import { templateHash } from '../template-hash.ts';
import type { Readiness } from '../types.ts';
import { noSelector, type ReadinessInput, type Target } from './target.ts';

/** Names the Revision that serves the users of the primary. Flagger's. */
export const primaryRevisionAnnotation = 'flagger.app/primary-revision';
const group = 'serving.knative.dev/v1';

/**
 * One Knative Service, two of its Revisions: the primary is pinned by an annotation, the canary is the latest. Knative scales both; the
 * router `knative` divides the traffic.
 */
export const knative: Target = {
  kind: 'Knative',
  ref: { apiVersion: group, kind: 'Service' },
  services: 'none',
  shared: 'traffic',
  tracksConfigs: false,
  selectorOf: () => noSelector,
  missing: ({ name, namespace }) =>
    `Knative Service ${name}.${namespace} get query error: services.serving.knative.dev "${name}" not found`,
  unlabelled: ({ name, namespace }) => `Knative Service ${name}.${namespace} has no selector label`,
  obstacle(target) {
    if (latestOf(target) !== undefined) return undefined;
    const { name, namespace = '' } = target.metadata;
    return `Knative Service ${name}.${namespace} has no Revision yet`;
  },
  revised: latestOf,
  judged: (document) => at(document, 'spec', 'template'),
  primaryRef: (ref, target) => revisionRef(ref, target?.metadata.annotations?.[primaryRevisionAnnotation]),
  candidateRef: (ref, target) => revisionRef(ref, target && latestOf(target)),
  candidateOf: ({ candidate }) => candidate,
  leadsUsers: true,
  writePrimary: ({ target }, primary) => ({ object: primary ? pinned(target) : pinnedAtFirst(target), over: target }),
  runs: (primary, { target }) => primary.metadata.name === latestOf(target) || isMadeFrom(primary, target),
  hasId: (primary, hash) => templateHash(primary.metadata.name) === hash,
  unborn: () => undefined,
  readiness: revisionReadiness,
  serves: (object) => object !== undefined && isReady(object),
  renderService: () => undefined,
  released(target, primary) {
    const { [primaryRevisionAnnotation]: _pin, ...annotations } = target.metadata.annotations ?? {};
    const free = { ...target, metadata: { ...target.metadata, annotations } };
    // Users stay where they are: only where the latest Revision is the promoted one may Knative choose again.
    const latest = latestOf(target);
    const isChosen = textOf(at(target, 'status', 'latestReadyRevisionName')) === latest;
    const isSame = primary !== undefined && isChosen && isMadeFrom(primary, target);
    if (primary?.metadata.name !== latest && !isSame) return free;
    return { ...free, spec: { ...jsonOf(target['spec']), traffic: [{ latestRevision: true, percent: 100 }] } };
  },
};

/** Name of the Service that a Revision was made for. Undefined: it is none. */
export function madeFor({ kind, metadata }: KubeObject): string | undefined {
  return kind === 'Revision' ? metadata.labels?.['serving.knative.dev/service'] || undefined : undefined;
}

/** The Revision that was made last, ready or not. */
function latestOf(target: KubeObject): string | undefined {
  return textOf(at(target, 'status', 'latestCreatedRevisionName'));
}

/**
 * Whether a Revision has what the Service asks for. Knative makes a new one even where a template goes back to what it was, as a revert
 * in Git does; in Flagger that is another release.
 */
function isMadeFrom(revision: KubeObject, target: KubeObject): boolean {
  const { metadata, spec } = jsonOf(at(target, 'spec', 'template'));
  if (spec === undefined || !sameJson(revision['spec'], spec)) return false;
  const isOurs = ([key]: readonly [string, string]): boolean => !key.startsWith('serving.knative.dev/');
  const notes = (values: unknown): Record<string, string> =>
    Object.fromEntries(Object.entries(textsOf(values)).filter(isOurs));
  return sameJson(notes(revision.metadata.annotations), notes(jsonOf(metadata)['annotations']));
}

function revisionRef({ namespace }: ObjectRef, name: string | undefined): ObjectRef | undefined {
  if (name === undefined) return undefined;
  return { apiVersion: group, kind: 'Revision', ...(namespace === undefined ? {} : { namespace }), name };
}

function pinned(target: KubeObject): KubeObject {
  const annotations = { ...target.metadata.annotations, [primaryRevisionAnnotation]: latestOf(target) ?? '' };
  return { ...target, metadata: { ...target.metadata, annotations } };
}

/** In one write with the traffic: a Revision that nobody has judged must not get any in between. */
function pinnedAtFirst(target: KubeObject): KubeObject {
  const traffic = [
    { latestRevision: true, percent: 0 },
    { revisionName: latestOf(target), percent: 100 },
  ];
  return { ...pinned(target), spec: { ...jsonOf(target['spec']), traffic } };
}

/** A Revision that is not ready is always waited for. */
function revisionReadiness({ object, name, namespace }: ReadinessInput): Readiness {
  if (object && isReady(object)) return { kind: 'ready' };
  return { kind: 'progressing', reason: `Knative Revision ${name}.${namespace} is not ready` };
}

function isReady(revision: KubeObject): boolean {
  return listOf(at(revision, 'status', 'conditions')).some(({ type, status }) => type === 'Ready' && status === 'True');
}
