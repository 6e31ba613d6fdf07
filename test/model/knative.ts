import { knative, primaryRevisionAnnotation } from '../../src/canary/targets/knative.ts';
import type { Seen } from '../../src/canary/types.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { type Health, settleMs, templateOf } from './workload.ts';
import type { Side } from './happenings.ts';

/** A Knative Service and all its Revisions, oldest first. Never changed: a new state is a new one. */
export interface KnativeService {
  /** Without `status`. */
  readonly object: KubeObject;
  readonly revisions: readonly Revision[];
}

interface Revision {
  readonly name: string;
  readonly version: number;
  readonly madeAtMs: number;
}

const { apiVersion } = knative.ref;

export function isKnative(object: KubeObject): boolean {
  return object.apiVersion === apiVersion;
}

/** With this template; one that differs from the one before makes a Revision, whatever ran earlier. */
export function withVersion(before: KnativeService | undefined, version: number, nowMs: number): KnativeService {
  const { revisions = [], object } = before ?? {};
  const made = revisions.length === 0 ? 0 : Number(revisions.at(-1)?.name.slice(4));
  return {
    object: {
      apiVersion,
      kind: 'Service',
      metadata: object?.metadata ?? { name: 'app', namespace: 'demo' },
      spec: { ...(object?.['spec'] as object | undefined), template: templateOf(version) },
    },
    revisions:
      revisions.at(-1)?.version === version
        ? revisions
        : [...revisions, { name: `app-${made + 1}`, version, madeAtMs: nowMs }],
  };
}

/** The Revision that serves the users of a side. */
export function revisionOf(service: KnativeService | undefined, side: Side): Revision | undefined {
  if (!service || side === 'target') return service?.revisions.at(-1);
  return service.revisions.find(({ name }) => name === pinOf(service.object));
}

export function isPinned(service: KnativeService | undefined): boolean {
  return service !== undefined && pinOf(service.object) !== undefined;
}

/** The version to which a Service that is written leads the users of the primary; undefined: to none by name. */
export function pinnedVersion({ revisions }: KnativeService, written: KubeObject): number | undefined {
  return revisions.find(({ name }) => name === pinOf(written))?.version;
}

export function isReady(revision: Revision | undefined, { nowMs, down, brokenVersion }: Health): boolean {
  return revision !== undefined && !down && nowMs - revision.madeAtMs >= settleMs && revision.version !== brokenVersion;
}

export type HealthOf = (side: Side) => Health;

/** One Revision has the same pods on both sides. */
export function healthOf(service: KnativeService, side: Side, health: HealthOf): Health {
  return health(revisionOf(service, 'target') === revisionOf(service, 'primary') ? 'primary' : side);
}

export function seeKnative(service: KnativeService, health: HealthOf): Pick<Seen, 'target' | 'primary' | 'candidate'> {
  const candidate = showRevision(revisionOf(service, 'target'), healthOf(service, 'target', health));
  return {
    target: showService(service, healthOf(service, 'target', health)),
    primary: showRevision(revisionOf(service, 'primary'), health('primary')),
    ...(candidate ? { candidate } : {}),
  };
}

function showService({ object, revisions }: KnativeService, health: Health): KubeObject {
  return {
    ...object,
    status: {
      latestCreatedRevisionName: revisions.at(-1)?.name,
      latestReadyRevisionName: revisions.findLast((revision) => isReady(revision, health))?.name,
    },
  };
}

function showRevision(revision: Revision | undefined, health: Health): KubeObject | undefined {
  if (!revision) return undefined;
  const { name, version } = revision;
  return {
    apiVersion,
    kind: 'Revision',
    metadata: { name, namespace: 'demo', labels: { 'serving.knative.dev/service': 'app' } },
    spec: templateOf(version)['spec'],
    status: { conditions: [{ type: 'Ready', status: isReady(revision, health) ? 'True' : 'False' }] },
  };
}

function pinOf({ metadata }: KubeObject): string | undefined {
  return metadata.annotations?.[primaryRevisionAnnotation];
}
