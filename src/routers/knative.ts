import { primaryRevisionAnnotation } from '../canary/targets/knative.ts';
import type { KubeObject } from '../manifest/types.ts';
import { jsonOf } from '../lib/json.ts';
import { invalid, type Json, listOf, splitOf } from './objects.ts';
import { falseCondition, reasonOf, whatOf } from './refusal.ts';
import type { Router } from './router.ts';

/**
 * Knative Serving: the traffic block of the target itself, between its latest Revision and the one that its annotation names.
 * The object is the user's: it gets no owner, and nothing of it is restored.
 */
export const knative: Router = {
  name: 'knative',
  about: {
    title: 'Knative Serving',
    url: 'https://knative.dev/docs/serving/traffic-management/',
    notes: 'for targets that are Knative Services, and they need it',
  },
  supports: { weights: true, mirror: false, headers: false, affinity: false },
  kinds: [{ apiVersion: 'serving.knative.dev/v1', kind: 'Service', plural: 'services' }],
  refs: ({ spec: { namespace, target } }) => [
    { apiVersion: 'serving.knative.dev/v1', kind: 'Service', namespace, name: target.name },
  ],
  render({ spec }, split, [live]) {
    const primary = live && primaryOf(live);
    if (live === undefined || primary === undefined) {
      // Before the primary is pinned everybody is where Knative sends them.
      if (split.canaryWeight === 0) return [];
      throw invalid(spec, `the Knative Service has no annotation ${primaryRevisionAnnotation}`);
    }
    const old = trafficOf(live);
    const traffic = [
      { ...old.find(isLatest), latestRevision: true, percent: split.canaryWeight },
      { ...old.find(isPinned(primary)), revisionName: primary, percent: 100 - split.canaryWeight },
      // Names under which Revisions can be reached, without a share of the traffic.
      ...old
        .filter((entry) => entry['tag'] !== undefined && !isLatest(entry) && !isPinned(primary)(entry))
        .map(unshared),
    ];
    return [{ ...live, spec: { ...jsonOf(live['spec']), traffic } }];
  },
  read(_context, [live]) {
    if (!live || primaryOf(live) === undefined) return undefined;
    const [latest, others] = [trafficOf(live).filter(isLatest), trafficOf(live).filter((entry) => !isLatest(entry))];
    return splitOf(sharesOf(others), sharesOf(latest));
  },
  trouble(_context, [live]) {
    const refusal = falseCondition(live, ['RoutesReady']);
    return live && refusal && `Knative ${whatOf(live)} cannot route: ${reasonOf(refusal)}`;
  },
};

function primaryOf({ metadata }: KubeObject): string | undefined {
  return metadata.annotations?.[primaryRevisionAnnotation] || undefined;
}

function trafficOf(live: KubeObject): readonly Json[] {
  return listOf(jsonOf(live['spec'])['traffic']);
}

/** Entries may leave `latestRevision` out; those that name no Revision mean the latest. */
function isLatest(entry: Json): boolean {
  return entry['latestRevision'] === true || entry['revisionName'] === undefined;
}

function isPinned(primary: string): (entry: Json) => boolean {
  return (entry) => !isLatest(entry) && entry['revisionName'] === primary;
}

function unshared({ percent: _share, ...entry }: Json): Json {
  return entry;
}

function sharesOf(entries: readonly Json[]): number {
  return entries.reduce((sum, { percent }) => sum + (typeof percent === 'number' ? percent : 0), 0);
}
