import { describe, expect, it } from 'vitest';
import { at } from '../../src/lib/json.ts';
import { podLabels, selectorLabelOf } from '../../src/canary/labels.ts';
import { foreignApex, overlapOf } from '../../src/canary/overlap.ts';
import type { Answer } from '../../src/canary/types.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { canary } from '../conformance/describe-target.ts';
import { createRollout } from '../helpers/rollout.ts';
import { createTargetWorld, type TargetWorld } from '../helpers/target-world.ts';

type Labels = Record<string, string>;

function workload(name: string, labels: Labels, more: object = {}, kind = 'Deployment'): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name, namespace: 'demo' },
    spec: {
      replicas: 2,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'app', image: `${name}:1` }] } },
      ...more,
    },
  };
}

const names = ['app', 'name', 'app.kubernetes.io/name'];
const selectorOf = (object: KubeObject) => selectorLabelOf(object, names) ?? { label: '', value: '' };

function worldOf(target: KubeObject): { world: TargetWorld; ticks: (count: number) => void; phase: () => string } {
  const world = createTargetWorld({
    canarySpec: {
      provider: 'kubernetes',
      targetRef: { apiVersion: 'apps/v1', kind: target.kind, name: target.metadata.name },
      service: { port: 80 },
      analysis: { interval: '10s', threshold: 2, iterations: 1, metrics: [] },
    },
    target,
  });
  const rollout = createRollout({ world, answer: (): Answer => ({ kind: 'value', value: 100 }) });
  return {
    world,
    ticks: (count) => rollout.run(world.nowMs + count * 10_000),
    phase: () => rollout.status.phase,
  };
}

const selects = (world: TargetWorld, service: string) => at(world.get('Service', service), 'spec', 'selector');

describe('the selectors of generated objects', () => {
  it.each(['Deployment', 'DaemonSet'])('of a %s keep every label that the target selects by', (kind) => {
    const { world, ticks, phase } = worldOf(workload('web', { app: 'shop', component: 'web' }, {}, kind));
    ticks(4);
    expect(phase()).toBe('Initialized');
    expect(selects(world, 'web')).toEqual({ app: 'shop-primary', component: 'web' });
    expect(selects(world, 'web-primary')).toEqual({ app: 'shop-primary', component: 'web' });
    expect(selects(world, 'web-canary')).toEqual({ app: 'shop', component: 'web' });
    const primary = world.get(kind, 'web-primary');
    expect(at(primary, 'spec', 'selector', 'matchLabels')).toEqual({ app: 'shop-primary', component: 'web' });
    expect(at(primary, 'spec', 'template', 'metadata', 'labels')).toEqual({ app: 'shop-primary', component: 'web' });
  });

  it('of an app with one label are as Flagger makes them', () => {
    const { world, ticks } = worldOf(workload('web', { app: 'web' }));
    ticks(4);
    expect(selects(world, 'web')).toEqual({ app: 'web-primary' });
    expect(at(world.get('Deployment', 'web-primary'), 'spec', 'selector')).toEqual({
      matchLabels: { app: 'web-primary' },
    });
  });

  it('follow a primary that knows the first label only, as Flagger and older versions made it', () => {
    const { world, ticks } = worldOf(workload('web', { app: 'shop', component: 'web' }));
    ticks(4);
    const primary = world.get('Deployment', 'web-primary');
    const older = { matchLabels: { app: 'shop-primary' } };
    if (primary) world.put({ ...primary, spec: { ...(primary['spec'] as object), selector: older } });
    for (const name of ['web', 'web-primary']) {
      const service = world.get('Service', name);
      if (service)
        world.put({ ...service, spec: { ...(service['spec'] as object), selector: { app: 'shop-primary' } } });
    }
    ticks(2);
    expect(selects(world, 'web')).toEqual({ app: 'shop-primary', component: 'web' });
    world.push((spec) => ({
      ...spec,
      template: {
        metadata: { labels: { app: 'shop', component: 'web' } },
        spec: { containers: [{ name: 'app', image: 'web:2' }] },
      },
    }));
    ticks(12);
    const promoted = world.get('Deployment', 'web-primary');
    expect(at(promoted, 'spec', 'template', 'spec', 'containers')).toEqual([{ name: 'app', image: 'web:2' }]);
    expect(at(promoted, 'spec', 'selector')).toEqual(older);
    expect(selects(world, 'web-primary')).toEqual({ app: 'shop-primary', component: 'web' });
  });

  it('do not lose the pods of a primary from before the target was made anew with other labels', () => {
    const { world, ticks } = worldOf(workload('web', { app: 'shop', track: 'one' }));
    ticks(4);
    world.push((spec) => ({
      ...spec,
      selector: { matchLabels: { app: 'shop', track: 'two' } },
      template: {
        metadata: { labels: { app: 'shop', track: 'two' } },
        spec: { containers: [{ name: 'app', image: 'web:2' }] },
      },
    }));
    ticks(1);
    expect(selects(world, 'web')).toEqual({ app: 'shop-primary', track: 'one' });
    ticks(12);
    // Its selector cannot be changed any more: what is promoted has to fit it.
    const primary = world.get('Deployment', 'web-primary');
    expect(at(primary, 'spec', 'template', 'spec', 'containers')).toEqual([{ name: 'app', image: 'web:2' }]);
    expect(at(primary, 'spec', 'template', 'metadata', 'labels')).toEqual({ app: 'shop-primary', track: 'one' });
    expect(selects(world, 'web')).toEqual({ app: 'shop-primary', track: 'one' });
    expect(selects(world, 'web-canary')).toEqual({ app: 'shop', track: 'two' });
  });

  it('wait for the pods of a rollout before they ask for a label that only its new pods have', () => {
    const selector = { label: 'app', value: 'web', others: { tier: 'front' } };
    const primary = {
      ...workload('web-primary', { app: 'web-primary' }),
      spec: {
        selector: { matchLabels: { app: 'web-primary' } },
        template: { metadata: { labels: { app: 'web-primary', tier: 'front' } } },
      },
    };
    const rolling = { ...primary, status: { replicas: 3, updatedReplicas: 1 } };
    const done = { ...primary, status: { replicas: 3, updatedReplicas: 3 } };
    const led = (live: Labels, by: KubeObject) =>
      podLabels({ selector, leadsTo: 'primary', primary: by, service: { ...primary, spec: { selector: live } } });
    expect(led({ app: 'web-primary' }, rolling)).toEqual({ app: 'web-primary' });
    expect(led({ app: 'web-primary' }, done)).toEqual({ app: 'web-primary', tier: 'front' });
    expect(led({ app: 'web-primary', tier: 'front' }, rolling)).toEqual({ app: 'web-primary', tier: 'front' });
  });

  it('take an expression that allows one value for a label', () => {
    const target = workload('web', { app: 'shop', component: 'web', 'x.toolkit.fluxcd.io/name': 'a' });
    const spec = {
      ...(target['spec'] as object),
      selector: {
        matchLabels: { app: 'shop', 'x.toolkit.fluxcd.io/name': 'a' },
        matchExpressions: [
          { key: 'component', operator: 'In', values: ['web'] },
          { key: 'tier', operator: 'NotIn', values: ['back'] },
        ],
      },
    };
    expect(selectorOf({ ...target, spec })).toEqual({ label: 'app', value: 'shop', others: { component: 'web' } });
  });
});

describe('a target whose pods cannot be told from those of another', () => {
  const released = (object: KubeObject) => ({ object, isReleased: true });
  const plain = (object: KubeObject) => ({ object, isReleased: false });
  const overlap = (target: KubeObject, workloads: readonly { object: KubeObject; isReleased: boolean }[]) =>
    overlapOf({ target, selector: selectorOf(target), workloads, selectorLabels: names });
  const web = workload('web', { app: 'shop', component: 'web' });
  const worker = workload('worker', { app: 'shop', component: 'worker' });
  const all = workload('all', { app: 'shop' });

  it('is none where a label differs, be it of itself, its primary, or others', () => {
    const primary = workload('web-primary', { app: 'shop-primary', component: 'web' });
    expect(overlap(web, [released(web), plain(primary), released(worker), plain(all)])).toBeUndefined();
  });

  it('is refused where its Services would lead to the other, whatever kind that is', () => {
    for (const kind of ['Deployment', 'StatefulSet', 'DaemonSet'])
      expect(overlap(all, [plain(workload('worker', { app: 'shop', component: 'worker' }, {}, kind))])).toBe(
        `users of Deployment all and of ${kind} worker would be answered by each other's pods, which both have app=shop: give their spec.selector.matchLabels a label that differs`,
      );
  });

  it('is refused where Services of the other’s Canary would lead to it', () => {
    expect(overlap(web, [released(all)])).toContain('Deployment web and of Deployment all');
  });

  it('changes no Service, and goes on as soon as they can be told apart', () => {
    const { world, ticks, phase } = worldOf(all);
    let overlapping: string | undefined = 'users would be answered by others';
    const see = world.see.bind(world);
    world.see = () => ({ ...see(), ...(overlapping === undefined ? {} : { overlap: overlapping }) });
    world.put({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'all', namespace: 'demo' },
      spec: { selector: { app: 'shop' }, ports: [{ port: 80 }] },
    });
    ticks(5);
    expect(phase()).toBe('Initializing');
    expect(selects(world, 'all')).toEqual({ app: 'shop' });
    expect(world.get('Service', 'all-canary')).toBeUndefined();
    expect(world.get('Deployment', 'all-primary')).toBeUndefined();
    overlapping = undefined;
    ticks(5);
    expect(phase()).toBe('Initialized');
    expect(selects(world, 'all')).toEqual({ app: 'shop-primary' });
  });
});

describe('a Canary whose target port no container has', () => {
  it('changes no Service before that is mended', () => {
    const { world, ticks, phase } = worldOf(workload('web', { app: 'web' }));
    const spec = world.canary['spec'] as object;
    world.canary = { ...world.canary, spec: { ...spec, service: { port: 80, targetPort: 'htttp' } } };
    ticks(4);
    expect(phase()).toBe('Initializing');
    expect(world.get('Service', 'web')).toBeUndefined();
    expect(world.get('Deployment', 'web-primary')).toBeUndefined();
    world.canary = { ...world.canary, spec };
    ticks(4);
    expect(phase()).toBe('Initialized');
  });
});

describe('an apex Service that stood before the Canary', () => {
  const target = workload('web', { app: 'web', tier: 'front' });
  const service = (spec: object, more: object = {}): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'demo', ...more },
    spec,
  });

  it.each([
    [{ selector: { app: 'web' } }],
    [{ selector: { tier: 'front' } }],
    [{ selector: { app: 'former-primary' } }],
    [{ ports: [] }],
  ])('is taken over where it leads to the target, to a primary, or to nothing that it names: %j', (spec) => {
    expect(foreignApex(service(spec), target, canary)).toBeUndefined();
  });

  it.each([
    [{ selector: { app: 'gateway' } }, 'leads to other pods (app=gateway) than those of Deployment web'],
    [{ selector: { app: 'web', tier: 'back' } }, 'leads to other pods (app=web, tier=back)'],
    [{ type: 'ExternalName', externalName: 'db.example.org' }, 'leads to db.example.org'],
  ])('is left as it is where its users want something else: %j', (spec, said) => {
    expect(foreignApex(service(spec), target, canary)).toContain(said);
    const { world, ticks, phase } = worldOf(target);
    world.put(service(spec));
    ticks(4);
    expect(phase()).toBe('Initializing');
    expect(world.get('Service', 'web')?.['spec']).toEqual(spec);
  });
});
