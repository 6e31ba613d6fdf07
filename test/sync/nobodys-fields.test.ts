import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject, ObjectRef } from '../../src/manifest/types.ts';
import { parseInventory } from '../../src/sync/inventory.ts';
import { desired, eventually, never, startStage, type SyncStage } from './a-cluster.ts';
import { named } from './a-manifest.ts';

const object = (kind: string, name: string, rest = ''): string =>
  `apiVersion: v1\nkind: ${kind}\nmetadata: { name: ${name}, namespace: own }\n${rest}`;
const refTo = (kind: string, name: string): ObjectRef => ({ apiVersion: 'v1', kind, namespace: 'own', name });
const canary = `apiVersion: flagger.app/v1beta1
kind: Canary
metadata: { name: shop, namespace: own }
spec:
  targetRef: { apiVersion: apps/v1, kind: Deployment, name: shop }
  service: { port: 80 }
  skipAnalysis: true
`;
const base = {
  'ns.yaml': 'apiVersion: v1\nkind: Namespace\nmetadata: { name: own }\n',
  ...Object.fromEntries(
    ['a', 'b', 'c', 'd'].map((name) => [`${name}.yaml`, object('ConfigMap', name, 'data: { a: "1" }\n')]),
  ),
};
const definition = readFileSync(new URL('../../manifests/crds/canaries.flagger.app.yaml', import.meta.url), 'utf8');
const encoded = (text: string): string => Buffer.from(text).toString('base64');

let stage: SyncStage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage.close());
const live = (kind: string, name: string): Promise<KubeObject | undefined> =>
  stage.cluster.get(refTo(kind, name), never);

describe('objects without a field of their own', () => {
  const files = {
    'sa.yaml': object('ServiceAccount', 'bare'),
    'cm.yaml': object('ConfigMap', 'empty'),
    'secret.yaml': object('Secret', 'hollow'),
  };

  it.each(['the same agent', 'an agent that was started anew'])('are pruned by %s', async (who) => {
    const settings = { namespace: `bare-${who.length}` };
    const first = stage.syncer(settings);
    await first.sync(desired({ ...base, ...files }), never);
    const second = who === 'the same agent' ? first : stage.syncer(settings);
    const { pruned } = await second.sync(desired(base), never);
    expect(pruned.map(named).sort()).toEqual(['ConfigMap own/empty', 'Secret own/hollow', 'ServiceAccount own/bare']);
    expect(await live('ServiceAccount', 'bare')).toBeUndefined();
  });

  it('are pruned when they were noted before uids were, as long as nobody else has written them', async () => {
    await stage.syncer({ namespace: 'bare-old' }).sync(desired({ ...base, ...files }), never);
    const ref = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'bare-old', name: 'serin-inventory' };
    const noted = (await stage.cluster.get(ref, never))?.['data'] as { objects: string };
    const objects = noted.objects.replaceAll(/\tuid=.*/g, '');
    expect(objects).not.toBe(noted.objects);
    await stage.cluster.mergePatch(ref, { data: { objects } }, { manager: 'older' }, never);
    expect((await stage.syncer({ namespace: 'bare-old' }).sync(desired(base), never)).pruned).toHaveLength(3);
  });

  it('stay when somebody has made them anew, with the reason', async () => {
    const syncer = stage.syncer({ namespace: 'bare-anew' });
    await syncer.sync(desired({ ...base, ...files }), never);
    await stage.cluster.remove(refTo('ConfigMap', 'empty'), {}, never);
    const anew = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'empty', namespace: 'own' },
      data: { x: '1' },
    };
    await stage.cluster.create(anew, { manager: 'somebody' }, never);
    expect((await syncer.sync(desired(base), never)).pruned).toHaveLength(2);
    expect(await live('ConfigMap', 'empty')).toBeDefined();
    expect(stage.lines.join('\n')).toContain(
      'ConfigMap own/empty is gone from Git and not deleted: somebody else has made it anew',
    );
  });
});

describe('what a Canary has taken over', () => {
  const files = {
    'deployment.yaml':
      'apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: shop, namespace: own }\nspec: { replicas: 0, selector: { matchLabels: { app: shop } }, template: { metadata: { labels: { app: shop } }, spec: { containers: [{ name: c, image: "ghcr.io/stefanprodan/podinfo:6.0.0" }] } } }\n',
    'service.yaml': object('Service', 'shop', 'spec: { selector: { app: shop }, ports: [{ port: 80 }] }\n'),
    'canary.yaml': canary,
  };
  const takenBy = (manager: string): Promise<KubeObject> => {
    const annotations = { 'kustomize.toolkit.fluxcd.io/reconcile': 'disabled' };
    const patch = { metadata: { annotations }, spec: { selector: { app: 'shop-primary' } } };
    return stage.cluster.mergePatch(refTo('Service', 'shop'), patch, { manager }, never);
  };
  beforeAll(async () => {
    const crd = { 'crds.yaml': definition };
    await stage.syncer({ namespace: 'taken-crds' }).sync(desired({ ...base, ...crd }), never);
  });

  it('stays while the Canary leads its users through it, and is pruned with the Canary', async () => {
    const syncer = stage.syncer({ namespace: 'taken' });
    await syncer.sync(desired({ ...base, ...files }), never);
    await takenBy('serin-canary');
    const { 'service.yaml': _service, ...without } = files;
    const first = await syncer.sync(desired({ ...base, ...without }), never);
    expect(first).toMatchObject({ pruned: [], failed: [] });
    expect(first.warnings).toMatchObject([
      { path: 'service.yaml', message: expect.stringMatching(/Service own\/shop .* Canary/) },
    ]);
    expect(await live('Service', 'shop')).toBeDefined();
    const last = await syncer.sync(desired(base), never);
    expect(last.pruned.map(named)).toEqual(['Canary own/shop', 'Deployment own/shop', 'Service own/shop']);
  });

  it('stays for good where a person wrote the annotation that keeps it', async () => {
    const syncer = stage.syncer({ namespace: 'kept' });
    await syncer.sync(desired({ ...base, ...files }), never);
    await takenBy('kubectl-annotate');
    expect((await syncer.sync(desired(base), never)).pruned.map(named)).not.toContain('Service own/shop');
  });
});

describe('a Secret that is written with stringData', () => {
  const secret = (fields: string): string => object('Secret', 'creds', fields);
  const data = async (): Promise<unknown> => (await live('Secret', 'creds'))?.['data'];

  it('loses the keys that Git takes away, and is what Git says again when somebody changes a value', async () => {
    const syncer = stage.syncer({ namespace: 'strings' });
    const one = desired({ ...base, 's.yaml': secret('data: { a: eA==, c: eg== }\nstringData: { a: one, b: two }\n') });
    await syncer.sync(one, never);
    expect(await data()).toEqual({ a: encoded('one'), b: encoded('two'), c: 'eg==' });
    const drifts: string[] = [];
    syncer.onDrift((refs) => drifts.push(...refs.map(named)));
    await stage.cluster.mergePatch(
      refTo('Secret', 'creds'),
      { data: { a: encoded('odd') } },
      { manager: 'kubectl' },
      never,
    );
    await eventually(
      () => drifts,
      (seen) => seen.includes('Secret own/creds'),
    );
    await syncer.sync(desired({ ...base, 's.yaml': secret('stringData: { a: one }\n') }), never);
    expect(await data()).toEqual({ a: encoded('one') });
  });

  it('loses what an older version of the agent has left in it, and keeps what others have written', async () => {
    const apply = (stringData: object): Promise<KubeObject> =>
      stage.cluster.apply(
        { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'creds', namespace: 'own' }, stringData },
        { manager: 'serin', force: true },
        never,
      );
    await stage.cluster.remove(refTo('Secret', 'creds'), {}, never);
    await apply({ a: 'one', b: 'two', c: 'three' });
    await apply({ a: 'one', b: 'two' });
    await stage.cluster.mergePatch(
      refTo('Secret', 'creds'),
      { data: { theirs: 'eA==' } },
      { manager: 'injector' },
      never,
    );
    await stage
      .syncer({ namespace: 'serin', prune: false })
      .sync(desired({ ...base, 's.yaml': secret('stringData: { a: one }\n') }), never);
    expect(await data()).toEqual({ a: encoded('one'), theirs: 'eA==' });
  });

  it.each([
    ['stringData: { port: 54321 }\n', 'stringData["port"]: must be text'],
    ['stringData: { flag: yes, ok: "1" }\n', 'stringData["flag"]: must be text'],
    ['data: { pin: "sesame!" }\n', 'data["pin"]: is not base64'],
    ['data: { pin: 54321 }\n', 'data["pin"]: must be text'],
    ['stringData: [sesame]\n', 'stringData: must be a map'],
  ])(
    'is not sent where a value cannot be: %j is told with file and line, and without the value',
    async (fields, text) => {
      const files = { ...base, 's.yaml': `# passwords\n${secret(fields)}` };
      const before = await data();
      const { failed, refused } = await stage.syncer({ namespace: 'wrong' }).sync(desired(files), never);
      expect(failed).toMatchObject([
        { severity: 'error', path: 's.yaml', line: 2, message: `Secret own/creds ${text}` },
      ]);
      expect(refused.get('/Secret/own/creds')).toContain(text);
      expect(JSON.stringify([failed, [...refused], stage.lines])).not.toMatch(/54321|sesame/);
      expect(await data()).toEqual(before);
    },
  );
});

it('the inventory notes the uid of objects without fields, and of no others', async () => {
  const syncer = stage.syncer({ namespace: 'uids' });
  await syncer.sync(desired({ ...base, 'sa.yaml': object('ServiceAccount', 'bare') }), never);
  const ref = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'uids', name: 'serin-inventory' };
  const { entries } = parseInventory([(await stage.cluster.get(ref, never)) as KubeObject]);
  const uid = (await live('ServiceAccount', 'bare'))?.metadata.uid;
  expect(entries.get('/ServiceAccount/own/bare')?.bareUid).toBe(uid);
  expect(entries.get('/ConfigMap/own/a')?.bareUid).toBeUndefined();
});
