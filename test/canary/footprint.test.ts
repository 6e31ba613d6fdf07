import { describe, expect, it } from 'vitest';
import { footprintOf, isTakenOver, writtenByCanaries } from '../../src/canary/footprint.ts';
import { handBack, type Leaver, sizeInGit, pausedScalerOf } from '../../src/canary/hand-back.ts';
import { sharedByCanary, wholeField, withShared } from '../../src/canary/shared-fields.ts';
import type { KubeObject } from '../../src/manifest/types.ts';

const canaryOf = (spec: unknown): KubeObject => ({
  apiVersion: 'flagger.app/v1beta1',
  kind: 'Canary',
  metadata: { name: 'shop', namespace: 'prod' },
  spec,
});
const object = (kind: string, name: string, more: object = {}, apiVersion = 'apps/v1'): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name, namespace: 'prod' },
  ...more,
});
const knative = 'serving.knative.dev/v1';

describe('the footprint of a Canary', () => {
  it('is its target, its Services, its autoscaler, and the names under which it writes', () => {
    const spec = {
      targetRef: { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'web' },
      service: { name: 'shop', port: 80 },
      ingressRef: { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', name: 'front' },
      autoscalerRef: { apiVersion: 'keda.sh/v1alpha1', kind: 'ScaledObject', name: 'sized' },
    };
    expect(footprintOf(canaryOf(spec))).toEqual({
      namespace: 'prod',
      targetKind: 'DaemonSet',
      target: { apiVersion: 'apps/v1', kind: 'DaemonSet', namespace: 'prod', name: 'web' },
      serviceName: 'shop',
      apex: { apiVersion: 'v1', kind: 'Service', namespace: 'prod', name: 'shop' },
      autoscaler: { apiVersion: 'keda.sh/v1alpha1', kind: 'ScaledObject', namespace: 'prod', name: 'sized' },
      written: ['web', 'shop', 'front'],
      watched: ['web', 'shop', 'front', 'sized'],
      handsBack: false,
    });
  });

  it.each([
    ['a Deployment', { kind: 'Deployment', apiVersion: 'apps/v1' }, 'app', 'app'],
    ['a Service, which users reach as it is', { kind: 'Service', apiVersion: 'v1' }, 'app', undefined],
    [
      'a Knative Service, which leads its users by itself',
      { kind: 'Service', apiVersion: knative },
      undefined,
      undefined,
    ],
    ['what is not said, a Deployment', {}, 'app', 'app'],
  ])('takes over the apex Service of pods only: %s', (_what, ref, serviceName, apex) => {
    const footprint = footprintOf(canaryOf({ targetRef: { ...ref, name: 'app' } }));
    expect([footprint.serviceName, footprint.apex?.name]).toEqual([serviceName, apex]);
  });

  it.each([
    [undefined],
    ['text'],
    [{ targetRef: 7, service: [], ingressRef: { name: {} } }],
    [{ __proto__: { name: 'x' } }],
  ])('is empty where nothing can be understood: %j', (spec) => {
    const { target, written, watched, apex } = footprintOf(canaryOf(spec));
    expect({ target, written, watched, apex }).toEqual({
      target: undefined,
      written: [],
      watched: [],
      apex: undefined,
    });
  });

  it('covers what has one of its names, also with an ending, in its namespace and no other', () => {
    const isWritten = writtenByCanaries([canaryOf({ targetRef: { name: 'web' }, service: { name: 'shop' } })]);
    const place = (name: string, namespace = 'prod'): boolean =>
      isWritten({ ...object('Service', name), metadata: { name, namespace } });
    expect(['web', 'web-primary', 'shop-canary', 'shop-primary-x'].map((name) => place(name))).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect([place('webs'), place('web', 'other'), place('primary')]).toEqual([false, false, false]);
  });

  describe('of a Service that may have been taken over', () => {
    const service = (selector: unknown) => object('Service', 'shop', { spec: { selector } }, 'v1');
    const target = (labels: Readonly<Record<string, string>>) =>
      object('Deployment', 'shop', { spec: { template: { metadata: { labels } } } }, 'apps/v1');

    it.each<[string, unknown, Readonly<Record<string, string>> | undefined, boolean]>([
      ['its primary', { app: 'web-primary' }, { app: 'web' }, true],
      ['the primary of a former target', { app: 'old-primary' }, { app: 'web', tier: 'front' }, true],
      ['a primary, of a target that is not known', { app: 'web-primary' }, undefined, true],
      ['the target', { app: 'web' }, { app: 'web' }, false],
      [
        'a target that is called as a primary would be',
        { app: 'db-primary' },
        { app: 'db-primary', tier: 'db' },
        false,
      ],
      ['the primary of such a target', { app: 'db-primary-primary' }, { app: 'db-primary' }, true],
      ['one of two labels of such a target', { role: 'db-primary' }, { app: 'db', role: 'db-primary' }, false],
      ['no pods', undefined, { app: 'web' }, false],
    ])('says so where it leads to %s', (_, selector, labels, isTaken) => {
      expect(isTakenOver(service(selector), labels && target(labels))).toBe(isTaken);
    });

    it('says of none that it is', () => {
      expect(isTakenOver(undefined, target({ app: 'web' }))).toBe(false);
    });
  });
});

describe('what a Canary writes into its own target', () => {
  it.each([
    ['Deployment', 'apps/v1', 'replicas'],
    ['DaemonSet', 'apps/v1', 'nodes'],
    ['Service', 'v1', 'nothing'],
    ['Service', knative, 'traffic'],
  ])('%s of %s: %s', (kind, apiVersion, shared) => {
    expect(sharedByCanary(object(kind, 'app', {}, apiVersion))).toBe(shared);
  });

  it('is put into what Git says where the field can only be sent as a whole, for the version that was read', () => {
    const withNodes = (nodeSelector: object, more: object = {}): KubeObject =>
      object('DaemonSet', 'web', { spec: { template: { spec: { nodeSelector, ...more } } } });
    const mark = { 'flagger.app/scale-to-zero': 'true' };
    const live = { ...withNodes({ ...mark, disk: 'slow' }), metadata: { name: 'web', resourceVersion: '7' } };
    const sent = withShared(live, withNodes({ disk: 'fast' }, { containers: [] }));
    expect(sent['spec']).toEqual({ template: { spec: { nodeSelector: { disk: 'fast', ...mark }, containers: [] } } });
    expect(sent.metadata.resourceVersion).toBe('7');
    expect(withShared(withNodes({}), withNodes({ disk: 'fast' }))).toEqual(withNodes({ disk: 'fast' }));
    expect([wholeField(live), wholeField(object('Deployment', 'web'))]).toEqual([
      ['spec', 'template', 'spec', 'nodeSelector'],
      undefined,
    ]);
  });
});

describe('handing back', () => {
  const deployment = (replicas: number, available = replicas): KubeObject =>
    object('Deployment', 'web', {
      spec: { replicas },
      status: { observedGeneration: 1, availableReplicas: available },
    });
  const leaver = (given: Partial<Leaver> & { spec?: object }): Leaver => {
    const { spec = {}, ...more } = given;
    return {
      canary: canaryOf({ targetRef: { kind: 'Deployment', name: 'web' }, ...spec }),
      written: object('Deployment', 'web', { spec: { replicas: 2 } }),
      target: deployment(0),
      primary: deployment(5),
      scaler: undefined,
      doesHandBack: false,
      ...more,
    };
  };
  const patchesOf = (given: Parameters<typeof leaver>[0]) =>
    handBack(leaver(given)).patches.map(({ object: { kind }, patch }) => [kind, patch]);

  it('waits until a target without pods has as many as its primary', () => {
    expect(handBack(leaver({})).isUp).toBe(false);
    expect(patchesOf({})).toEqual([['Deployment', { spec: { replicas: 5 } }]]);
    expect(patchesOf({ target: deployment(3) })).toEqual([['Deployment', { spec: { replicas: 5 } }]]);
    expect(handBack(leaver({ target: deployment(5, 4) }))).toEqual({ isUp: false, patches: [] });
    expect(handBack(leaver({ target: deployment(5) }))).toEqual({ isUp: true, patches: [] });
  });

  it('begins with what Git asks for where the Canary does the rest by itself, and with nothing where Git asks for nothing', () => {
    expect(patchesOf({ doesHandBack: true })).toEqual([['Deployment', { spec: { replicas: 2 } }]]);
    expect(handBack(leaver({ doesHandBack: true, target: deployment(1) })).isUp).toBe(true);
    const none = object('Deployment', 'web', { spec: { replicas: 0 } });
    expect(handBack(leaver({ written: none }))).toEqual({ isUp: true, patches: [] });
  });

  it('wakes an autoscaler that keeps the target at zero first, and asks for no other', () => {
    const spec = { autoscalerRef: { kind: 'ScaledObject', name: 'sized' } };
    const annotations = { 'autoscaling.keda.sh/paused-replicas': '0', team: 'a' };
    const scaler = { ...object('ScaledObject', 'sized'), metadata: { name: 'sized', annotations } };
    expect(patchesOf({ spec, scaler })).toEqual([
      ['ScaledObject', { metadata: { annotations: { 'autoscaling.keda.sh/paused-replicas': null } } }],
      ['Deployment', { spec: { replicas: 5 } }],
    ]);
    expect(pausedScalerOf(canaryOf(spec))?.name).toBe('sized');
    const hpa = { autoscalerRef: { kind: 'HorizontalPodAutoscaler', name: 'sized' } };
    expect(pausedScalerOf(canaryOf(hpa))).toBeUndefined();
  });

  it('takes the mark from a DaemonSet, and waits for its pods on all nodes', () => {
    const spec = { targetRef: { kind: 'DaemonSet', name: 'web' } };
    const daemon = (nodeSelector: object, numberAvailable: number): KubeObject =>
      object('DaemonSet', 'web', {
        spec: { template: { spec: { nodeSelector } } },
        status: { observedGeneration: 1, desiredNumberScheduled: 3, numberAvailable },
      });
    const written = object('DaemonSet', 'web', { spec: {} });
    const marked = daemon({ 'flagger.app/scale-to-zero': 'true' }, 0);
    expect(patchesOf({ spec, written, target: marked })).toEqual([
      ['DaemonSet', { spec: { template: { spec: { nodeSelector: { 'flagger.app/scale-to-zero': null } } } } }],
    ]);
    const upWith = (pods: number): boolean => handBack(leaver({ spec, written, target: daemon({}, pods) })).isUp;
    expect([upWith(2), upWith(3)]).toEqual([false, true]);
  });

  it.each([
    ['a Service', { kind: 'Service', apiVersion: 'v1' }],
    ['a Knative Service', { kind: 'Service', apiVersion: knative }],
  ])('has nothing to wait for where nothing has a number of pods: %s', (_what, ref) => {
    expect(handBack(leaver({ spec: { targetRef: { ...ref, name: 'web' } } }))).toEqual({ isUp: true, patches: [] });
  });

  it('tells of a number in Git that is less than what the users have', () => {
    expect(sizeInGit(leaver({}))).toBe(2);
    expect(sizeInGit(leaver({ primary: deployment(2) }))).toBe('none');
    expect(sizeInGit(leaver({ spec: { autoscalerRef: { kind: 'HorizontalPodAutoscaler', name: 'x' } } }))).toBe('none');
    expect(sizeInGit(leaver({ written: object('Deployment', 'web', { spec: {} }) }))).toBeUndefined();
  });
});
