import { describe, expect, it } from 'vitest';
import { at } from '../../src/lib/json.ts';
import type { Answer } from '../../src/canary/types.ts';
import {
  aDaemonSet,
  imageOf,
  initialised,
  mark,
  messagesOf,
  passing,
  phasesOf,
  selectorOf,
  stage,
} from './on-all-nodes.ts';

describe('a DaemonSet', () => {
  it('gets a primary, and goes to zero by a node selector [SS01] [SS02] [WS01]', () => {
    const { world, rollout, step, setImage } = stage();
    step();
    expect(world.get('DaemonSet', 'podinfo-primary')).toBeDefined();
    expect(messagesOf(rollout)).toContain(
      'primary daemonset podinfo-primary.demo not ready: waiting for rollout to finish: observed daemonset generation less than desired generation',
    );
    expect(selectorOf(world.get('DaemonSet', 'podinfo'))).toBeUndefined();
    step(2);
    expect(rollout.status.phase).toBe('Initialized');
    expect(selectorOf(world.get('DaemonSet', 'podinfo'))).toEqual({ [mark]: 'true' });
    expect(selectorOf(world.get('DaemonSet', 'podinfo-primary'))).toBeUndefined();
    expect(world.get('Service', 'podinfo')?.['spec']).toMatchObject({ selector: { name: 'podinfo-primary' } });
    setImage('podinfo:2');
    world.push((spec) => spec);
    step();
    expect(rollout.status.phase).toBe('Progressing');
    expect(selectorOf(world.get('DaemonSet', 'podinfo'))).toBeUndefined();
  });

  it('is no new revision by being scaled', () => {
    const { rollout, step } = initialised();
    step(3);
    expect(phasesOf(rollout).slice(-3)).toEqual(['Initialized 0', 'Initialized 0', 'Initialized 0']);
  });

  it('is rolled back at the threshold, and goes to zero again [SS03]', () => {
    const bad: Answer = { kind: 'value', value: 10 };
    const { world, rollout, step, setImage, split } = initialised(
      {},
      { metrics: [{ name: 'request-success-rate', thresholdRange: { min: 99 } }] },
      (question) => (question.kind === 'metric' ? bad : passing),
    );
    setImage('podinfo:2');
    step(6);
    expect(rollout.status.phase).toBe('Failed');
    expect(split()).toEqual({ canaryWeight: 0, mirror: false });
    expect(selectorOf(world.get('DaemonSet', 'podinfo'))).toEqual({ [mark]: 'true' });
    expect(imageOf(world.get('DaemonSet', 'podinfo-primary'))).toBe('podinfo:1');
    expect(rollout.status.conditions?.[0]?.message).toBe('Canary analysis failed, DaemonSet scaled to zero.');
  });

  it('is promoted at once where the analysis is skipped, and its primary is waited for [SS04] [R20]', () => {
    const { world, rollout, step, setImage } = initialised({ skipAnalysis: true });
    setImage('podinfo:2');
    step(2);
    expect(rollout.status.phase).toBe('Promoting');
    step();
    expect(rollout.status.phase).toBe('Succeeded');
    expect(imageOf(world.get('DaemonSet', 'podinfo-primary'))).toBe('podinfo:2');
    expect(selectorOf(world.get('DaemonSet', 'podinfo'))).toEqual({ [mark]: 'true' });
    expect(messagesOf(rollout)).toContain('Promotion completed! Canary analysis was skipped for podinfo.demo');
  });

  it('starts anew when a newer revision comes [SS05]', () => {
    const { rollout, step, setImage, split } = initialised();
    setImage('podinfo:2');
    step(2);
    expect(split()).toEqual({ canaryWeight: 10, mirror: false });
    setImage('podinfo:3');
    step();
    expect(split()).toEqual({ canaryWeight: 0, mirror: false });
    expect(rollout.status).toMatchObject({ phase: 'Progressing', canaryWeight: 0 });
  });

  it('is promoted with its configs [SS06] [WS03]', () => {
    const { world, rollout, step, setImage, setConfig } = initialised();
    setImage('podinfo:2');
    step(2);
    setConfig('two');
    step(10);
    expect(rollout.status.phase).toBe('Succeeded');
    expect(phasesOf(rollout)).toEqual(expect.arrayContaining(['Promoting 50', 'Finalising 0', 'Succeeded 0']));
    expect(imageOf(world.get('DaemonSet', 'podinfo-primary'))).toBe('podinfo:2');
    expect(world.get('ConfigMap', 'podinfo-config-primary')?.['data']).toEqual({ text: 'two' });
    expect(selectorOf(world.get('DaemonSet', 'podinfo-primary'))).toBeUndefined();
    expect(selectorOf(world.get('DaemonSet', 'podinfo'))).toEqual({ [mark]: 'true' });
    expect(messagesOf(rollout)).toContain('New revision detected! Restarting analysis for podinfo.demo');
  });

  it('is mirrored first [SS07]', () => {
    const { step, setImage, split } = initialised({}, { mirror: true });
    setImage('podinfo:2');
    step(2);
    expect(split()).toEqual({ canaryWeight: 0, mirror: true });
    step();
    expect(split()).toEqual({ canaryWeight: 10, mirror: false });
  });

  it('is tried by some users [SS08]', () => {
    const match = [{ headers: { 'x-beta': { exact: '1' } } }];
    const { world, rollout, step, setImage, split } = initialised(
      { provider: 'nginx', ingressRef: { name: 'web' } },
      { stepWeight: undefined, maxWeight: undefined, iterations: 1, match },
    );
    setImage('podinfo:2');
    step(2);
    expect(split()).toEqual({ canaryWeight: 100, mirror: false });
    step(3);
    expect(rollout.status.phase).toBe('Succeeded');
    expect(imageOf(world.get('DaemonSet', 'podinfo-primary'))).toBe('podinfo:2');
  });

  it.each([
    [
      'all its ports',
      '[SS09]',
      { port: 9898 },
      ['http 9898 9898', 'http-metrics 8080 8080', 'tcp-podinfo-2 8888 8888'],
    ],
    [
      'the main one by its number',
      '[SS10]',
      { port: 80, targetPort: 9898 },
      ['http 80 9898', 'http-metrics 8080 8080', 'tcp-podinfo-2 8888 8888'],
    ],
    [
      'the main one by its name',
      '[SS11]',
      { port: 80, targetPort: 'http' },
      ['http 80 http', 'http-metrics 8080 8080', 'tcp-podinfo-2 8888 8888'],
    ],
  ])('shows %s where ports are discovered %s', (_what, _id, service, wanted) => {
    const { world, step } = stage({ service: { ...service, portDiscovery: true } });
    step();
    const ports = at(world.get('Service', 'podinfo-canary'), 'spec', 'ports') as {
      name: string;
      port: number;
      targetPort: unknown;
    }[];
    expect(ports.map(({ name, port, targetPort }) => `${name} ${port} ${String(targetPort)}`)).toEqual(wanted);
  });

  it('tells of itself in alerts [SS12]', () => {
    const { rollout } = initialised();
    const alerts = rollout.ticks.flatMap(({ effects }) => effects.filter(({ kind }) => kind === 'alert'));
    expect(alerts).toEqual([
      {
        kind: 'alert',
        moves: 'nothing',
        severity: 'info',
        message: 'New DaemonSet detected, initialization completed.',
        withFields: true,
      },
    ]);
  });

  it('without pods on any node is not ready, and moves nobody', () => {
    const { world, rollout, step } = stage();
    world.nowhere.add('podinfo-primary');
    step(3);
    expect(rollout.status.phase).toBe('Initializing');
    expect(messagesOf(rollout)).toContain(
      'primary daemonset podinfo-primary.demo not ready: waiting for rollout to finish: no node has a pod of it that answers',
    );
    expect(selectorOf(world.get('DaemonSet', 'podinfo'))).toBeUndefined();
  });

  it('that must be updated by hand is refused in words', () => {
    const { world, rollout, step } = stage();
    world.push((spec) => ({ ...spec, updateStrategy: { type: 'OnDelete' } }));
    step();
    expect(messagesOf(rollout)).toContain('daemonset podinfo.demo must have RollingUpdate strategy but have OnDelete');
    expect(world.get('DaemonSet', 'podinfo-primary')).toBeUndefined();
  });

  it('gives the target its nodes back when the Canary goes [WS07]', () => {
    const { world, rollout, step } = initialised({ revertOnDeletion: true });
    world.canary = {
      ...world.canary,
      metadata: { ...world.canary.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' },
    };
    step(3);
    expect(selectorOf(world.get('DaemonSet', 'podinfo'))).toBeUndefined();
    expect(world.get('Service', 'podinfo')?.['spec']).toMatchObject({ selector: { name: 'podinfo' } });
    expect(world.canary.metadata.finalizers).toEqual([]);
    expect(messagesOf(rollout)).toContain('Terminated canary podinfo.demo');
  });
});

describe('a target that is at zero already', () => {
  it('makes a primary that has nodes: the outage is a primary that never starts [R8]', () => {
    const { world, step, rollout } = stage();
    world.push(
      (spec) => aDaemonSet('podinfo:1', { nodeSelector: { [mark]: 'true', disk: 'ssd' } })['spec'] as typeof spec,
    );
    step(3);
    expect(selectorOf(world.get('DaemonSet', 'podinfo-primary'))).toEqual({ disk: 'ssd' });
    expect(rollout.status.phase).toBe('Initialized');
  });
});

describe('the deadline of a DaemonSet', () => {
  it('is not put off by status writes: the outage is a canary that fails for hours [R31]', () => {
    const { world, rollout, step, setImage } = initialised();
    world.broken.add('podinfo');
    setImage('podinfo:2');
    step(9);
    const said = messagesOf(rollout);
    expect(said).toContain(
      'canary damonset podinfo.demo not ready with retryable true: waiting for rollout to finish: 0 of 2 (readyThreshold 100%) updated pods are available',
    );
    expect(said).toContain(
      'canary damonset podinfo.demo not ready with retryable false: exceeded its progressDeadlineSeconds: 60',
    );
    expect(rollout.status.phase).toBe('Failed');
    const ended = rollout.ticks.flatMap(({ effects }) => effects).find(({ kind }) => kind === 'end-release');
    expect(ended).toMatchObject({
      failedCheck: {
        found: { kind: 'not-ready', role: 'canary', why: 'exceeded its progressDeadlineSeconds: 60' },
      },
    });
  });

  it('begins when the pods were asked for, however old the Canary and its status are', () => {
    const { world, rollout, step, setImage } = initialised();
    step(60);
    world.broken.add('podinfo');
    setImage('podinfo:2');
    step(4);
    expect(rollout.status.phase).toBe('Progressing');
  });
});
