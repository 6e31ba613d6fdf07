import type { App } from '../../canary/app.ts';
import type { Revision } from '../../git/repo.ts';
import { type AppKey, keyOf, partsOf } from '../../lib/key.ts';
import { identityOf, nameOf } from '../../manifest/identity.ts';
import { areaOf, type LoadedTree } from '../../manifest/load.ts';
import type { Tenancy } from '../../manifest/tenancy.ts';
import { type Problem, refOf } from '../../manifest/types.ts';
import type { SyncResult } from '../../sync/syncer.ts';
import type { Synced, Wanted } from '../releases/applied-apps.ts';
import { judgedManifests } from './overlays.ts';
import type { Snapshot } from './snapshots.ts';

/** Of which apps it is not known yet what Git says: a tenant's files are still being read. */
export function isUnreadOf({ unread }: Snapshot, tenancy: Tenancy | undefined): (key: AppKey) => boolean {
  if (!unread || !tenancy) return () => false;
  // What nobody's folder says may be of any namespace.
  return (key) => unread.has('') || tenancy.tenantsOf(partsOf(key).namespace).some(({ name }) => unread.has(name));
}

/** Whether everything could be read and applied of what the tenants of a namespace say. */
export function wholeIn(
  tenancy: Tenancy,
  { problems, unreadablePaths }: LoadedTree,
  { failed, heldAreas = [] }: Pick<SyncResult, 'failed' | 'heldAreas'>,
): (namespace: string) => boolean {
  const errors = [...problems.filter(({ severity }) => severity === 'error'), ...failed];
  const paths = new Set([...unreadablePaths, ...errors.map(({ path }) => path)]);
  const unsettled = new Set([...heldAreas, ...[...paths].map((path) => areaOf(path, { tenancy }))]);
  return (namespace) => !tenancy.tenantsOf(namespace).some(({ name }) => unsettled.has(name));
}

/** What is an error, and what was refused however it is called; each once. */
export function errorsOf(problems: readonly Problem[], refused: readonly Problem[] = []): readonly Problem[] {
  const isRefused = new Set(refused);
  const found = new Map<string, Problem>();
  for (const problem of problems) {
    if (problem.severity !== 'error' && !isRefused.has(problem)) continue;
    const { path, line, message } = problem;
    // Of a file that holds no manifest any more the second knows more: what of it stays in the cluster.
    found.set(`${path}:${line} ${message.split(':', 1)[0] ?? ''}`, problem);
  }
  return [...found.values()];
}

/** Apps of which Git has a target: of others nothing is applied. */
export function wantedOf(apps: readonly App[], held: ReadonlyMap<AppKey, Revision>): ReadonlyMap<AppKey, Wanted> {
  const there = apps.filter(({ target }) => target !== undefined);
  return new Map(there.map((app) => [keyOf(app.id), { content: app.content, held: held.get(keyOf(app.id)) }]));
}

/** What has become of them. */
export function syncedOf(
  apps: readonly App[],
  stable: ReadonlyMap<AppKey, App>,
  wanted: ReadonlyMap<AppKey, Wanted>,
  { versions, refused, left }: Pick<SyncResult, 'versions' | 'refused' | 'left'>,
): ReadonlyMap<AppKey, Synced> {
  const synced = new Map<AppKey, Synced>();
  for (const app of apps) {
    const key = keyOf(app.id);
    const one = wanted.get(key);
    if (!one) continue;
    const objects = judgedManifests(stable.get(key) ?? app).map(({ object }) => object);
    if (left && objects.some((object) => left.has(identityOf(object)))) continue;
    const given = objects.flatMap((object) => {
      const version = versions.get(identityOf(object));
      return version === undefined ? [] : [{ ref: refOf(object), version }];
    });
    const reasons = objects.flatMap((object) => {
      const reason = refused.get(identityOf(object));
      return reason === undefined ? [] : [`${nameOf(refOf(object))}: ${reason}`];
    });
    synced.set(key, { ...one, versions: given, refused: reasons.length === 0 ? undefined : reasons.join('; ') });
  }
  return synced;
}
