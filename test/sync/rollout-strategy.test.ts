import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AgentError } from '../../src/lib/errors.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { failureOf } from '../../src/sync/apply.ts';
import { createWriters } from '../../src/sync/writers.ts';
import { desired, never, startStage, type SyncStage } from './a-cluster.ts';

const own = 'apiVersion: v1\nkind: Namespace\nmetadata: { name: own }\n';
const workload = (kind: 'Deployment' | 'StatefulSet', name: string, strategy: string, tag = 1): string =>
  `apiVersion: apps/v1
kind: ${kind}
metadata: { name: ${name}, namespace: own }
spec:
  replicas: 1
  ${kind === 'StatefulSet' ? `serviceName: ${name}` : ''}
  ${strategy}
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec: { containers: [{ name: web, image: 'quotes:${tag}' }] }
`;

let stage: SyncStage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage.close());

/** What the cluster has after each of these was pushed, with what the sync could not do. */
async function pushed(kind: 'Deployment' | 'StatefulSet', name: string, ...strategies: readonly string[]) {
  const syncer = stage.syncer({ namespace: `serin-${name}` });
  const sync = (text: string) => syncer.sync(desired({ 'ns.yaml': own, 'app.yaml': text }), never);
  const live = async (): Promise<KubeObject> => {
    const found = await stage.cluster.get({ apiVersion: 'apps/v1', kind, namespace: 'own', name }, never);
    if (!found) throw new Error(`${name} is not there`);
    return found;
  };
  const push = async (strategy: string, tag: number): Promise<KubeObject> => {
    expect((await sync(workload(kind, name, strategy, tag))).failed).toEqual([]);
    return live();
  };
  const seen: KubeObject[] = [];
  for (const [index, strategy] of strategies.entries()) seen.push(await push(strategy, (index % 2) + 1));
  return { seen, sync, live };
}
const specOf = ({ spec }: KubeObject): Record<string, unknown> => spec as Record<string, unknown>;
const managersOf = ({ metadata }: KubeObject): string[] =>
  (metadata['managedFields'] as { manager: string }[]).map(({ manager }) => manager);
const filledIn = { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } };

describe('a strategy that goes without what the server had filled in', () => {
  it.each([
    ['nothing', ''],
    ['the type', 'strategy: { type: RollingUpdate }'],
    ['one of two numbers', 'strategy: { rollingUpdate: { maxSurge: 1 } }'],
    ['both numbers', 'strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } }'],
  ])('reaches a Deployment of which Git said %s, with its new image, and can be left again', async (what, before) => {
    const name = `web-${what.replaceAll(' ', '-')}`;
    const { seen } = await pushed('Deployment', name, before, 'strategy: { type: Recreate }', '');
    const [, changed, back] = seen.map(specOf);
    expect(changed).toMatchObject({ strategy: { type: 'Recreate' } });
    expect(changed?.['strategy']).toEqual({ type: 'Recreate' });
    expect(JSON.stringify(changed)).toContain('quotes:2');
    expect(back?.['strategy']).toEqual(filledIn);
    for (const object of seen) expect(managersOf(object)).not.toContain('serin-strategy');
  });

  it('reaches a StatefulSet', async () => {
    const { seen } = await pushed('StatefulSet', 'db', '', 'updateStrategy: { type: OnDelete }', '');
    expect(seen.map((object) => specOf(object)['updateStrategy'])).toEqual([
      { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
      { type: 'OnDelete' },
      { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
    ]);
  });

  it('is refused with the command that helps where another tool has set it', async () => {
    const { sync, live } = await pushed('Deployment', 'theirs', '');
    const ref = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'own', name: 'theirs' };
    const theirs = { spec: { strategy: { rollingUpdate: { maxSurge: 2 } } } };
    await stage.cluster.mergePatch(ref, theirs, { manager: 'kubectl-edit' }, never);
    const text = workload('Deployment', 'theirs', 'strategy: { type: Recreate }', 2);
    const { failed } = await sync(text);
    const patched = { spec: { strategy: { type: 'Recreate', rollingUpdate: null } } };
    const patch = JSON.stringify(patched);
    expect(failed).toMatchObject([
      { hint: expect.stringContaining(`kubectl -n own patch deployment theirs --type merge -p '${patch}'`) as string },
    ]);
    expect(managersOf(await live())).not.toContain('serin-strategy');
    await stage.cluster.mergePatch(ref, patched, { manager: 'kubectl-patch' }, never);
    expect((await sync(text)).failed).toEqual([]);
    expect(specOf(await live())['strategy']).toEqual({ type: 'Recreate' });
  });
});

describe('what is told of a field that can only be set at creation', () => {
  const told = async (name: string, before: string, after: string): Promise<unknown> => {
    const syncer = stage.syncer({ namespace: `serin-${name}` });
    const sync = (text: string) => syncer.sync(desired({ 'ns.yaml': own, 'app.yaml': text }), never);
    expect((await sync(before)).failed).toEqual([]);
    return (await sync(after)).failed.map(({ hint }) => hint);
  };

  it('of a workload is how it is made anew without ending its pods', async () => {
    const labelled = (text: string): string => text.replaceAll('app: fixed', 'app: fixed, tier: web');
    const deployment = workload('Deployment', 'fixed', '');
    expect(await told('fixed', deployment, labelled(deployment))).toEqual([
      'a field of it can only be set at creation: kubectl -n own delete deployment fixed --cascade=orphan leaves its pods running, and it is made anew from Git',
    ]);
    const set = workload('StatefulSet', 'kept', '');
    expect(await told('kept', set, set.replace('serviceName: kept', 'serviceName: other'))).toEqual([
      expect.stringContaining('kubectl -n own delete statefulset kept --cascade=orphan'),
    ]);
  });

  it.each([
    ['v1', 'PersistentVolumeClaim', 'spec is immutable after creation except resources.requests'],
    ['v1', 'PersistentVolume', 'spec.persistentvolumesource is immutable after creation'],
    ['v1', 'Namespace', 'field is immutable'],
    ['apiextensions.k8s.io/v1', 'CustomResourceDefinition', 'spec.scope: Invalid value: "Cluster": field is immutable'],
  ])('of a %s %s is never to delete it', (apiVersion, kind, text) => {
    const object = { apiVersion, kind, metadata: { name: 'data' } };
    const error = new AgentError('CLUSTER_REFUSED', `apply ${kind} data: ${text}`, { details: { status: 422 } });
    const writers = createWriters(stage.cluster, undefined);
    const { hint } = failureOf(
      { object, origin: { renderer: 'plain', path: 'data.yaml', document: 0, line: 1 } },
      error,
      writers,
    );
    expect(hint).toContain('would go with it');
    expect(hint).not.toContain('delete');
  });
});
