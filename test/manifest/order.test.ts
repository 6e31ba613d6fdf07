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

  it('is before or after all else for hooks, the lighter first', () => {
    const hook = (of: string, annotations: Record<string, string>): number => {
      const [apiVersion = '', kind = ''] = of.split(' ');
      return waveOf({ apiVersion, kind, metadata: { name: 'x', annotations } });
    };
    const inOrder = [
      wave('rbac.authorization.k8s.io/v1 RoleBinding'),
      hook('v1 ConfigMap', { 'helm.sh/hook': 'pre-install,pre-upgrade', 'helm.sh/hook-weight': '-5' }),
      hook('batch/v1 Job', { 'helm.sh/hook': 'pre-upgrade' }),
      hook('batch/v1 Job', { 'argocd.argoproj.io/hook': 'PreSync', 'argocd.argoproj.io/sync-wave': '2' }),
      hook('batch/v1 Job', { 'helm.sh/hook': 'pre-install', 'helm.sh/hook-weight': '1e99' }),
      wave('v1 ConfigMap'),
      wave('flagger.app/v1beta1 Canary'),
      hook('v1 ConfigMap', { 'helm.sh/hook': 'post-install', 'helm.sh/hook-weight': '-1' }),
      hook('batch/v1 Job', { 'argocd.argoproj.io/hook': 'PostSync' }),
      hook('v1 ConfigMap', { 'helm.sh/hook': 'post-upgrade', 'helm.sh/hook-weight': '3' }),
    ];
    expect(inOrder).toEqual(inOrder.toSorted((a, b) => a - b));
    expect(new Set(inOrder).size).toBe(inOrder.length);
    // What its Job needs to run at all comes where it always does.
    expect(hook('v1 ServiceAccount', { 'helm.sh/hook': 'post-install' })).toBe(wave('v1 ServiceAccount'));
    for (const odd of ['crd-install', 'sync', 'x'.repeat(100_000), 'pre-installed'])
      expect(hook('v1 ConfigMap', { 'helm.sh/hook': odd, 'helm.sh/hook-weight': 'heavy' })).toBe(wave('v1 ConfigMap'));
  });
});
