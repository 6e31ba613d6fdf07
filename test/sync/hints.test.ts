import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject, ObjectRef } from '../../src/manifest/types.ts';
import { desired, eventually, never, startStage, type SyncStage } from './a-cluster.ts';
import { named } from './a-manifest.ts';

const namespace = 'apiVersion: v1\nkind: Namespace\nmetadata: { name: shop }\n';
const filler = Object.fromEntries(
  ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => [
    `${name}.yaml`,
    `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name}, namespace: shop }\ndata: { a: "1" }\n`,
  ]),
);
const base = { 'ns.yaml': namespace, ...filler };
const job = (name: string, annotations = '{}', spec = '', image = 'x:1'): string =>
  `apiVersion: batch/v1\nkind: Job\nmetadata: { name: ${name}, namespace: shop, annotations: ${annotations} }\n` +
  `spec: { ${spec} template: { spec: { restartPolicy: Never, containers: [{ name: x, image: "registry.test/${image}" }] } } }\n`;
const config = (name: string, annotations: string, data = 'a: "1"'): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name}, namespace: shop, annotations: ${annotations} }\ndata: { ${data} }\n`;
const refTo = (kind: string, name: string): ObjectRef => ({
  apiVersion: kind === 'Job' ? 'batch/v1' : 'v1',
  kind,
  namespace: 'shop',
  name,
});

let stage: SyncStage;
beforeAll(async () => {
  stage = await startStage();
  if (await stage.cluster.resource({ apiVersion: 'batch/v1', kind: 'Job' }, never)) return;
  // As a definition of its own, where the embedded cluster serves no Jobs: here nothing runs them anyway.
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
  const version = { name: 'v1', served: true, storage: true, subresources: { status: {} }, schema };
  const spec = { group: 'batch', scope: 'Namespaced', names: { kind: 'Job', plural: 'jobs' }, versions: [version] };
  const definition = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'jobs.batch' },
  };
  await stage.cluster.create({ ...definition, spec }, { manager: 'test' }, never);
});
afterAll(() => stage.close());
const live = (kind: string, name: string): Promise<KubeObject | undefined> =>
  stage.cluster.get(refTo(kind, name), never);
const dataOf = async (name: string): Promise<unknown> => (await live('ConfigMap', name))?.['data'];

describe('hooks', () => {
  it('of uninstallations and tests are not applied, and those of others are; both are told with file and line', async () => {
    const hooks = [
      job('uninstall', '{ helm.sh/hook: pre-delete }'),
      job('migrate', '{ argocd.argoproj.io/hook: PreSync }'),
    ];
    const { applied, warnings, failed } = await stage
      .syncer({ namespace: 'hooks' })
      .sync(desired({ ...base, 'hooks.yaml': hooks.join('---\n') }), never);
    expect(applied.map(named).filter((name) => name.startsWith('Job'))).toEqual(['Job shop/migrate']);
    expect(failed).toEqual([]);
    expect(warnings.map(({ path, line, message }) => `${path}:${line} ${message}`)).toEqual([
      'hooks.yaml:1 Job shop/uninstall is a hook of Helm (pre-delete): it is not applied',
      'hooks.yaml:6 Job shop/migrate is a hook of Argo CD (PreSync): it is applied before all else, whenever it changes, and nothing waits until it is done',
    ]);
    expect(await live('Job', 'uninstall')).toBeUndefined();
  });
});

describe('what is to be kept', () => {
  it('stays when it is gone from Git, whichever tool it was written for', async () => {
    const syncer = stage.syncer({ namespace: 'kept' });
    const kept = {
      'helm.yaml': config('helm', '{ helm.sh/resource-policy: keep }'),
      'argo.yaml': config('argo-kept', '{ argocd.argoproj.io/sync-options: "ServerSideApply=true,Prune=false" }'),
      'other.yaml': config('other', '{ argocd.argoproj.io/sync-options: "ServerSideApply=true" }'),
    };
    await syncer.sync(desired({ ...base, ...kept }), never);
    expect((await syncer.sync(desired(base), never)).pruned.map(named)).toEqual(['ConfigMap shop/other']);
    expect([await live('ConfigMap', 'helm'), await live('ConfigMap', 'argo-kept')]).not.toContain(undefined);
  });
});

describe('a Namespace that leaves Git', () => {
  it('stays while something in it is kept, which would go with it', async () => {
    const syncer = stage.syncer({ namespace: 'emptied' });
    const space = (name: string) => `apiVersion: v1\nkind: Namespace\nmetadata: { name: ${name} }\n`;
    const within = (name: string, annotations: string) =>
      config('x', annotations).replace('namespace: shop', `namespace: ${name}`);
    const leaving = {
      'full.yaml': `${space('full')}---\n${within('full', '{ helm.sh/resource-policy: keep }')}`,
      'bare.yaml': `${space('hollow')}---\n${within('hollow', '{}')}`,
    };
    await syncer.sync(desired({ ...base, ...leaving }), never);
    const { pruned, warnings } = await syncer.sync(desired(base), never);
    expect(pruned.map(named)).toEqual(['ConfigMap hollow/x', 'Namespace hollow']);
    expect(warnings).toMatchObject([{ message: 'Namespace full is gone from Git and stays: something in it stays' }]);
    expect(await stage.cluster.get({ apiVersion: 'v1', kind: 'Namespace', name: 'full' }, never)).toBeDefined();
  });
});

describe('what is made only where it is missing', () => {
  it('is left as others made it, and made again where it is gone', async () => {
    const syncer = stage.syncer({ namespace: 'absent' });
    const tree = (value: string) =>
      desired({
        ...base,
        'x.yaml': config('once', '{ kustomize.toolkit.fluxcd.io/ssa: IfNotPresent }', `a: "${value}"`),
      });
    const theirs = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'once', namespace: 'shop' },
      data: { a: 'theirs' },
    };
    await syncer.sync(tree('0'), never);
    expect(await dataOf('once')).toEqual({ a: '0' });
    await stage.cluster.mergePatch(refTo('ConfigMap', 'once'), { data: { a: 'changed' } }, { manager: 'them' }, never);
    await syncer.sync({ ...tree('1'), everything: true }, never);
    expect(await dataOf('once')).toEqual({ a: 'changed' });
    await stage.cluster.remove(refTo('ConfigMap', 'once'), {}, never);
    await eventually(
      async () => {
        await syncer.sync({ ...tree('2'), everything: true }, never);
        return dataOf('once');
      },
      (data) => data !== undefined,
    );
    expect(await dataOf('once')).toEqual({ a: '2' });
    await stage.cluster.remove(refTo('ConfigMap', 'once'), {}, never);
    await stage.cluster.create(theirs, { manager: 'them' }, never);
    const fresh = stage.syncer({ namespace: 'absent' });
    await fresh.sync(tree('3'), never);
    expect(await dataOf('once')).toEqual({ a: 'theirs' });
    expect((await fresh.sync(desired(base), never)).pruned).toEqual([]);
  });
});

describe('what may be made anew', () => {
  const fixed = (name: string, annotations: string, value: string): string =>
    `${config(name, annotations, `a: "${value}"`)}immutable: true\n`;

  it('is, where a field can only be set at creation; without the hint that is told', async () => {
    const syncer = stage.syncer({ namespace: 'anew' });
    const tree = (value: string) =>
      desired({
        ...base,
        'flux.yaml': fixed('flux', '{ kustomize.toolkit.fluxcd.io/force: enabled }', value),
        'argo.yaml': fixed('argo', '{ argocd.argoproj.io/sync-options: "Force=true" }', value),
        'plain.yaml': fixed('plain', '{}', value),
      });
    await syncer.sync(tree('1'), never);
    const before = (await live('ConfigMap', 'flux'))?.metadata.uid;
    const { failed, applied } = await syncer.sync(tree('2'), never);
    expect(applied.map(named).sort()).toEqual(['ConfigMap shop/argo', 'ConfigMap shop/flux']);
    expect(failed).toMatchObject([{ path: 'plain.yaml', hint: expect.stringContaining('delete the object') }]);
    expect(await dataOf('flux')).toEqual({ a: '2' });
    expect((await live('ConfigMap', 'flux'))?.metadata.uid).not.toBe(before);
  });

  it('is not what a Canary writes, too', async () => {
    const syncer = stage.syncer({ namespace: 'anew-canary' });
    const canary =
      'apiVersion: flagger.app/v1beta1\nkind: Canary\nmetadata: { name: web, namespace: shop }\nspec: { targetRef: { kind: Deployment, name: web }, service: { port: 80 }, skipAnalysis: true }\n';
    const tree = (value: string) =>
      desired({
        ...base,
        'c.yaml': canary,
        'x.yaml': fixed('web-config', '{ kustomize.toolkit.fluxcd.io/force: enabled }', value),
      });
    await syncer.sync(tree('1'), never);
    const { failed } = await syncer.sync(tree('2'), never);
    expect(failed.map(({ path }) => path)).toContain('x.yaml');
    expect(await dataOf('web-config')).toEqual({ a: '1' });
  });
});

describe('a Job that has run and is gone', () => {
  const finish = (name: string): Promise<KubeObject> =>
    stage.cluster.mergePatch(
      refTo('Job', name),
      { status: { conditions: [{ type: 'Complete', status: 'True' }] } },
      { manager: 'job-controller', subresource: 'status' },
      never,
    );

  it('by its time to live is made again neither as drift, nor by an agent that starts, but when Git changes it', async () => {
    const tree = (image: string) =>
      desired({ ...base, 'j.yaml': job('ttl', '{}', 'ttlSecondsAfterFinished: 1,', image) });
    const syncer = stage.syncer({ namespace: 'runs' });
    const drifts: string[] = [];
    syncer.onDrift((refs) => drifts.push(...refs.map(named)));
    await syncer.sync(tree('x:1'), never);
    await finish('ttl');
    await stage.cluster.remove(refTo('Job', 'ttl'), {}, never);
    await eventually(
      () => stage.lines,
      (lines) => lines.some((line) => line.includes('Job shop/ttl has run and is gone')),
    );
    expect(drifts).toEqual([]);
    await syncer.sync({ ...tree('x:1'), everything: true }, never);
    const fresh = stage.syncer({ namespace: 'runs' });
    await fresh.sync({ ...tree('x:1'), everything: true }, never);
    expect(await live('Job', 'ttl')).toBeUndefined();
    await fresh.sync(tree('x:2'), never);
    expect(await live('Job', 'ttl')).toBeDefined();
  });

  it('is not made again where it was seen to be done, and is where it was not', async () => {
    const files = { 'done.yaml': job('done'), 'cut.yaml': job('cut') };
    const syncer = stage.syncer({ namespace: 'runs-2' });
    const drifts: string[] = [];
    syncer.onDrift((refs) => drifts.push(...refs.map(named)));
    await syncer.sync(desired({ ...base, ...files }), never);
    await finish('done');
    for (const name of ['done', 'cut']) await stage.cluster.remove(refTo('Job', name), {}, never);
    await eventually(
      () => drifts,
      (seen) => seen.includes('Job shop/cut'),
    );
    await syncer.sync(desired({ ...base, ...files }, { everything: true }), never);
    expect(await live('Job', 'done')).toBeUndefined();
    expect(await live('Job', 'cut')).toBeDefined();
  });

  it('and a Pod that ran to its end likewise', async () => {
    const pod =
      'apiVersion: v1\nkind: Pod\nmetadata: { name: once, namespace: shop }\nspec: { restartPolicy: Never, containers: [{ name: x, image: "registry.test/x:1" }] }\n';
    await stage.syncer({ namespace: 'runs-3' }).sync(desired({ ...base, 'p.yaml': pod }), never);
    await stage.cluster.remove(refTo('Pod', 'once'), {}, never);
    await eventually(
      () => live('Pod', 'once'),
      (object) => object === undefined,
    );
    await stage.syncer({ namespace: 'runs-3' }).sync(desired({ ...base, 'p.yaml': pod }, { everything: true }), never);
    expect(await live('Pod', 'once')).toBeUndefined();
  });
});
