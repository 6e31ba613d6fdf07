import { describe, expect, it } from 'vitest';
import { ownRefusal } from '../../src/manifest/own-objects.ts';
import type { KubeObject } from '../../src/manifest/types.ts';

const own = { namespaces: ['serin'], isShared: false };
const rbac = 'rbac.authorization.k8s.io/v1';
const object = (apiVersion: string, kind: string, place: string, extra: Record<string, unknown> = {}): KubeObject => {
  const [namespace, name = ''] = place.includes('/') ? place.split('/') : [undefined, place];
  const { labels, ...rest } = extra as { labels?: Record<string, string> };
  return {
    apiVersion,
    kind,
    metadata: { name, ...(namespace === undefined ? {} : { namespace }), ...(labels ? { labels } : {}) },
    ...rest,
  };
};
const told = (tried: KubeObject, whose = own): string | undefined => ownRefusal(tried, whose)?.message;
const boundTo = (subject: Record<string, unknown>): KubeObject =>
  object(rbac, 'ClusterRoleBinding', 'more', { subjects: [subject] });

describe("the agent's own objects", () => {
  it.each([
    [object('apps/v1', 'Deployment', 'serin/thief'), "Deployment serin/thief is in the agent's own namespace"],
    [object('v1', 'Secret', 'serin/serin-git'), "Secret serin/serin-git is in the agent's own namespace"],
    [object('v1', 'ConfigMap', 'serin/serin-inventory-9'), "ConfigMap serin/serin-inventory-9 is in the agent's own"],
    [object('v1', 'Namespace', 'serin'), "Namespace serin is the agent's own"],
    [object(rbac, 'ClusterRole', 'serin-sync'), "ClusterRole serin-sync has a name of the agent's own rights"],
    [object(rbac, 'ClusterRoleBinding', 'serin-canary'), "ClusterRoleBinding serin-canary has a name of the agent's"],
    [object(rbac, 'ClusterRole', 'widgets', { labels: { 'serin.dev/aggregate-to-sync': 'true' } }), 'may do'],
    [boundTo({ kind: 'ServiceAccount', name: 'serin', namespace: 'serin' }), 'changes what the agent itself may do'],
    [boundTo({ kind: 'User', name: 'system:serviceaccount:serin:serin' }), 'changes what the agent itself may do'],
    [boundTo({ kind: 'Group', name: 'system:serviceaccounts:serin' }), 'changes what the agent itself may do'],
    [
      object(rbac, 'RoleBinding', 'team/x', { subjects: [{ kind: 'ServiceAccount', name: 'a', namespace: 'serin' }] }),
      'changes what the agent itself may do',
    ],
  ])('are not taken from Git: %j', (tried, message) => {
    expect(told(tried)).toContain(message);
  });

  it.each([
    object('apps/v1', 'Deployment', 'test/serin'),
    object('v1', 'Namespace', 'serin-test'),
    object(rbac, 'ClusterRole', 'serinity'),
    object(rbac, 'RoleBinding', 'team/x', { subjects: [null, 'x', { kind: 'ServiceAccount', name: 'serin' }] }),
    object(rbac, 'RoleBinding', 'team/x', { subjects: { kind: 'ServiceAccount', namespace: 'serin' } }),
    object('example.com/v1', 'ClusterRole', 'serin'),
  ])('are not what only looks like them: %j', (tried) => {
    expect(told(tried)).toBeUndefined();
  });

  it('are told by their names where apps live in its namespace', () => {
    const shared = { namespaces: ['serin'], isShared: true };
    expect(told(object('apps/v1', 'Deployment', 'serin/podinfo'), shared)).toBeUndefined();
    expect(told(object('v1', 'Secret', 'serin/serin-git'), shared)).toContain('has its name');
    expect(told(object('v1', 'ServiceAccount', 'serin/serin'), shared)).toContain('has its name');
    const canary = (spec: object): KubeObject => object('flagger.app/v1beta1', 'Canary', 'serin/x', { spec });
    expect(told(canary({ targetRef: { name: 'serin' } }), shared)).toContain("acts on serin, which is the agent's own");
    expect(told(canary({ targetRef: { name: 'x' }, service: { name: 'serin' } }), shared)).toContain('acts on serin');
    expect(told(canary({ targetRef: { name: 'podinfo' }, service: null }), shared)).toBeUndefined();
    const scaler = { spec: { scaleTargetRef: { name: 'serin' } } };
    expect(told(object('autoscaling/v2', 'HorizontalPodAutoscaler', 'serin/x', scaler), shared)).toContain('acts on');
    expect(told(object('v1', 'Namespace', 'serin'), shared)).toContain("is the agent's own");
  });
});
