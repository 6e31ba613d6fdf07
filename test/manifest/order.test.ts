import { describe, expect, it } from 'vitest';
import { waveOf } from '../../src/manifest/order.ts';

const wave = (text: string): number => {
  const [apiVersion = '', kind = ''] = text.split(' ');
  return waveOf({ apiVersion, kind });
};

describe('the wave of a kind', () => {
  it('comes after everything that the kind needs', () => {
    const inOrder = [
      'v1 Namespace',
      'apiextensions.k8s.io/v1 CustomResourceDefinition',
      'v1 ServiceAccount',
      'rbac.authorization.k8s.io/v1 Role',
      'rbac.authorization.k8s.io/v1 RoleBinding',
      'v1 ConfigMap',
      'v1 Service',
      'apps/v1 Deployment',
      'autoscaling/v2 HorizontalPodAutoscaler',
      'flagger.app/v1beta1 MetricTemplate',
      'flagger.app/v1beta1 Canary',
    ].map(wave);
    expect(inOrder).toEqual(inOrder.toSorted((a, b) => a - b));
    expect(new Set(inOrder).size).toBe(inOrder.length);
  });

  it('is the same for kinds that do not need each other', () => {
    expect(wave('v1 Secret')).toBe(wave('v1 ConfigMap'));
    expect(wave('apps/v1 StatefulSet')).toBe(wave('apps/v1 Deployment'));
    expect(wave('flagger.app/v1beta1 AlertProvider')).toBe(wave('flagger.app/v1beta1 MetricTemplate'));
  });

  it('does not take a custom resource for the built-in kind of the same name', () => {
    expect(wave('serving.knative.dev/v1 Service')).not.toBe(wave('v1 Service'));
    expect(wave('serving.knative.dev/v1 Service')).toBeGreaterThan(wave('apps/v1 Deployment'));
    expect(wave('other.example/v1 Canary')).toBeLessThan(wave('flagger.app/v1beta1 Canary'));
  });
});
