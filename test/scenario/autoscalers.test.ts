import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { installCrds } from '../../src/sandbox/sandbox.ts';
import type { StoredObject } from '../../src/sandbox/types.ts';
import { appFiles, appPath, hostOf, toTag } from './apps.ts';
import { canary, image, replicas } from './look.ts';
import { adopted, outcome } from './outcomes.ts';
import { expectSound } from './soundness.ts';
import { onStage, patient, type Stage } from './stage.ts';

const paused = 'autoscaling.keda.sh/paused-replicas';
const canaryPath = 'apps/podinfo/canary.yaml';
const scalerPath = 'apps/podinfo/scaler.yaml';

/** The app without a number of its own, and with an autoscaler. */
function scaledFiles(kind: string, scaler: string): Record<string, string> {
  const files = appFiles();
  const withRef = (text: string): string =>
    text.replace('spec:\n', `spec:\n  autoscalerRef: { apiVersion: any/v1, kind: ${kind}, name: podinfo }\n`);
  return {
    ...files,
    [appPath()]: (files[appPath()] ?? '').replace(/\n  replicas: \d+/, ''),
    [canaryPath]: withRef(files[canaryPath] ?? ''),
    [scalerPath]: scaler,
  };
}

const hpa = (utilization: number): string => `apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: podinfo
  namespace: test
spec:
  scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: podinfo }
  minReplicas: 2
  maxReplicas: 4
  metrics:
    - type: Resource
      resource:
        name: cpu
        target: { type: Utilization, averageUtilization: ${utilization} }
`;

const scaledObject = `apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: podinfo
  namespace: test
  annotations:
    scaledobject.keda.sh/transfer-hpa-ownership: "true"
spec:
  scaleTargetRef: { name: podinfo }
  minReplicaCount: 3
  maxReplicaCount: 5
  pollingInterval: 10
  triggers:
    - type: prometheus
      name: prom-trigger
      metadata:
        serverAddress: http://prometheus.monitoring:9090
        query: sum(rate(http_requests_total{app="podinfo"}[2m]))
        threshold: "5"
`;

const scalerNamed = (stage: Stage, name: string): StoredObject | undefined =>
  stage.sandbox.store.get('autoscaling/v2', 'HorizontalPodAutoscaler', 'test', name) ??
  stage.sandbox.store.get('keda.sh/v1alpha1', 'ScaledObject', 'test', name);

describe('an app with an autoscaler', patient, () => {
  it('has one for the primary, and a change of it comes with the promotion [E38]', async () => {
    await onStage({ files: scaledFiles('HorizontalPodAutoscaler', hpa(99)), hosts: [hostOf()] }, async (stage) => {
      await adopted(stage);
      const primary = (): string => JSON.stringify(scalerNamed(stage, 'podinfo-primary')?.['spec'] ?? {});
      expect(scalerNamed(stage, 'podinfo-primary')?.['spec']).toMatchObject({
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'podinfo-primary' },
        minReplicas: 2,
        maxReplicas: 4,
      });
      expect(primary()).toContain('"averageUtilization":99');
      await stage.push('podinfo 3.1.1, busier', {
        [appPath()]: toTag('3.1.1')((await stage.file(appPath())) ?? ''),
        [scalerPath]: hpa(50),
      });
      await stage.until('it has the least that its autoscaler allows', () => replicas(stage, 'podinfo') === 2);
      await stage.until('it has users', () => canary(stage).weight > 0);
      expect(primary()).toContain('"averageUtilization":99');
      await outcome(stage, 1);
      expect(primary()).toContain('"averageUtilization":50');
      expect(image(stage, 'podinfo-primary')).toBe('podinfo:3.1.1');
      expect(replicas(stage, 'podinfo')).toBe(0);
      await expectSound(stage);
    });
  });

  it('of KEDA has one for the primary, and its own sleeps while nothing is judged [E39]', async () => {
    const files = scaledFiles('ScaledObject', scaledObject);
    await onStage({ files, hosts: [hostOf()], started: false }, async (stage) => {
      const keda = await readFile(new URL('../../fixtures/crds/keda.yaml', import.meta.url), 'utf8');
      await installCrds(stage.sandbox.apiUrl, keda);
      await stage.start();
      await adopted(stage);
      const pause = (): string | undefined => scalerNamed(stage, 'podinfo')?.metadata.annotations?.[paused];
      expect(pause()).toBe('0');
      const made = scalerNamed(stage, 'podinfo-primary');
      expect(made?.metadata.annotations).toMatchObject({ 'scaledobject.keda.sh/transfer-hpa-ownership': 'true' });
      expect(made?.metadata.annotations?.[paused]).toBeUndefined();
      expect(made?.['spec']).toMatchObject({
        scaleTargetRef: { name: 'podinfo-primary' },
        triggers: [{ metadata: { query: 'sum(rate(http_requests_total{app="podinfo-primary"}[2m]))' } }],
      });
      await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
      await stage.until('its autoscaler is awake', () => pause() === undefined);
      await stage.until('it has the least that its autoscaler allows', () => replicas(stage, 'podinfo') === 3);
      await outcome(stage, 1);
      expect(pause()).toBe('0');
      expect(replicas(stage, 'podinfo')).toBe(0);
      // What Git says of the autoscaler and what the canary notes on it are not in each other's way.
      await stage.edit('larger', scalerPath, (text) => text.replace('maxReplicaCount: 5', 'maxReplicaCount: 8'));
      await stage.until(
        'the primary may grow',
        () =>
          (scalerNamed(stage, 'podinfo-primary')?.['spec'] as { maxReplicaCount?: number } | undefined)
            ?.maxReplicaCount === 8,
      );
      expect(pause()).toBe('0');
      // With the Canary goes the primary, and the target gets its pods and its autoscaler back.
      await stage.push('no canaries any more', { [canaryPath]: null });
      await stage.until('the Canary is gone', () => canary(stage).phase === '');
      expect(pause()).toBeUndefined();
      expect(replicas(stage, 'podinfo')).toBeGreaterThan(0);
    });
  });
});

describe('an app without an autoscaler', patient, () => {
  it('gets as many pods as Git asks for without a release', async () => {
    await onStage({ files: appFiles(), hosts: [hostOf()] }, async (stage) => {
      await adopted(stage);
      expect(replicas(stage, 'podinfo-primary')).toBe(2);
      await stage.edit('more of it', appPath(), (text) => text.replace('replicas: 2', 'replicas: 3'));
      await stage.until('the primary has them', () => replicas(stage, 'podinfo-primary') === 3);
      expect(replicas(stage, 'podinfo')).toBe(0);
      expect(canary(stage).phase).toBe('Initialized');
      await expectSound(stage);
    });
  });
});
