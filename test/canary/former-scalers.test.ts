import { describe, expect, it } from 'vitest';
import { createOwnedScalers } from '../../src/agent/views/owned-scalers.ts';
import { ownerOf } from '../../src/canary/owner.ts';
import { pausedReplicas } from '../../src/canary/scalers/scaled-object.ts';
import type { AutoscalerSpec } from '../../src/canary/types.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { createStory, type Story } from '../faults/a-story.ts';

type Kind = AutoscalerSpec['kind'];
const versions: Readonly<Record<Kind, string>> = {
  HorizontalPodAutoscaler: 'autoscaling/v2',
  ScaledObject: 'keda.sh/v1alpha1',
};
const scaler = (kind: Kind, name: string, target = 'app'): KubeObject => ({
  apiVersion: versions[kind],
  kind,
  metadata: { name, namespace: 'demo', uid: `uid-of-${kind}-${name}` },
  spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: target }, minReplicas: 2, maxReplicas: 9 },
});
const refTo = (kind: Kind, name: string): object => ({ apiVersion: versions[kind], kind, name });
const put = ({ world }: Pick<Story, 'world'>, object: KubeObject): void =>
  void world.objects.set(`${object.kind}/${object.metadata.name}`, object);
const made = ({ world }: Story): string[] =>
  [...world.objects.keys()].filter((key) => /^(?:Horizontal|Scaled).*-primary$/.test(key));

const start = (kind: Kind): Story =>
  createStory({
    spec: { autoscalerRef: refTo(kind, 'app') },
    before: (world) => put({ world }, scaler(kind, 'app')),
  });

describe('an autoscaler that was made for a primary', () => {
  it.each(['HorizontalPodAutoscaler', 'ScaledObject'] as const)(
    'goes with the reference to that of the target, and the primary keeps its size: %s',
    (kind) => {
      const story = start(kind);
      expect(made(story)).toEqual([`${kind}/app-primary`]);
      story.world.setReplicas('app-primary', 7);
      story.edit({ autoscalerRef: undefined });
      story.wait(20);
      expect(made(story)).toEqual([]);
      expect(story.replicas('app-primary')).toBe(7);
      expect(story.world.objects.get(`${kind}/app`)?.metadata.annotations?.[pausedReplicas]).toBeUndefined();
    },
  );

  it.each([
    ['is called otherwise', 'HorizontalPodAutoscaler', 'HorizontalPodAutoscaler', 'app-v2'],
    ['is of another kind', 'HorizontalPodAutoscaler', 'ScaledObject', 'app'],
    ['is of another kind again', 'ScaledObject', 'HorizontalPodAutoscaler', 'app'],
  ] as const)('goes before there is another one, where that of the target %s', (_, from, to, name) => {
    const story = start(from);
    put(story, scaler(to, name));
    const before = story.done.length;
    story.edit({ autoscalerRef: refTo(to, name) });
    story.wait(20);
    expect(made(story)).toEqual([`${to}/${name}-primary`]);
    const steps = story.done.slice(before).flatMap((effect) => {
      if (effect.kind === 'remove-scaler') return ['removed'];
      return effect.kind === 'write' && effect.object.metadata.name === `${name}-primary` && effect.over === undefined
        ? ['made']
        : [];
    });
    expect(steps).toEqual(['removed', 'made']);
    // Once is enough.
    story.wait(60);
    expect(story.done.filter(({ kind }) => kind === 'remove-scaler')).toHaveLength(1);
  });

  it('goes in the middle of a release, too, which comes to its end', () => {
    const story = start('ScaledObject');
    story.push('2.0.0');
    story.until(({ weight }) => weight > 0);
    story.edit({ autoscalerRef: undefined });
    story.wait(120);
    expect(made(story)).toEqual([]);
    expect(story.status.phase).toBe('Succeeded');
  });

  it('stays while the one that is to take its place is not there', () => {
    const story = start('HorizontalPodAutoscaler');
    story.edit({ autoscalerRef: refTo('HorizontalPodAutoscaler', 'app-v2') });
    story.wait(60);
    expect(made(story)).toEqual(['HorizontalPodAutoscaler/app-primary']);
    put(story, scaler('HorizontalPodAutoscaler', 'app-v2'));
    story.wait(20);
    expect(made(story)).toEqual(['HorizontalPodAutoscaler/app-v2-primary']);
  });

  it('is not written over what only has its name', () => {
    const own = scaler('HorizontalPodAutoscaler', 'app-primary', 'something-else');
    const story = createStory({
      spec: { autoscalerRef: refTo('HorizontalPodAutoscaler', 'app') },
      before: (world) => {
        put({ world }, scaler('HorizontalPodAutoscaler', 'app'));
        put({ world }, own);
      },
    });
    story.push('2.0.0');
    story.wait(120);
    expect(story.status.phase).toBe('Succeeded');
    expect(story.world.objects.get('HorizontalPodAutoscaler/app-primary')).toBe(own);
    expect(story.events).toContain(
      'HorizontalPodAutoscaler app-primary scales something else, so app-primary.demo gets none: rename it',
    );
  });
});

describe('whose an autoscaler is', () => {
  const canary: KubeObject = {
    apiVersion: 'flagger.app/v1beta1',
    kind: 'Canary',
    metadata: { name: 'app', namespace: 'demo', uid: 'ours' },
  };
  const owned = (ownerReferences: KubeObject['metadata']['ownerReferences']): KubeObject => {
    const object = scaler('HorizontalPodAutoscaler', 'app-primary');
    return { ...object, metadata: { ...object.metadata, ...(ownerReferences ? { ownerReferences } : {}) } };
  };
  const other = { apiVersion: 'keda.sh/v1alpha1', kind: 'ScaledObject', name: 'x', uid: 'theirs', controller: true };

  it.each([
    ['the Canary that alone controls it', [ownerOf(canary)], 1],
    ['nobody’s without an owner', undefined, 0],
    ['nobody’s that we know, where something else owns it too', [ownerOf(canary), { ...other, controller: false }], 0],
    ['nobody’s that we know, where it is made by KEDA', [other], 0],
    ['nobody’s, where the Canary does not control it', [{ ...ownerOf(canary), controller: false }], 0],
  ])('is told by its owners: %s', (_, owners, count) => {
    const index = createOwnedScalers();
    index.heard({ kind: 'added', object: owned(owners) });
    expect(index.of('ours')).toHaveLength(count);
    index.heard({ kind: 'modified', object: owned(undefined) });
    expect(index.of('ours')).toHaveLength(0);
    index.heard({ kind: 'added', object: owned([ownerOf(canary)]) });
    index.heard({ kind: 'deleted', object: owned([ownerOf(canary)]) });
    expect(index.of('ours')).toHaveLength(0);
  });
});
