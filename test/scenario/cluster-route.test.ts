import { expect, it } from 'vitest';
import { at } from '../../src/lib/json.ts';
import { appFiles, canaryYaml } from './apps.ts';
import { canary, object } from './look.ts';
import { onceMore, onStage } from './stage.ts';

it(
  'a route of the whole cluster leads to the app itself when its Canary is gone from Git, also without revertOnDeletion',
  onceMore,
  async () => {
    const kuma = canaryYaml({ provider: 'kuma' });
    // There are no Gateways in this cluster.
    const namespace = 'apiVersion: v1\nkind: Namespace\nmetadata: { name: test }\n';
    expect(kuma).not.toContain('revertOnDeletion');
    const files = { ...appFiles(), 'apps/podinfo/canary.yaml': kuma, 'apps/namespaces/test.yaml': namespace };
    await onStage({ files, hosts: [], routing: 'kuma' }, async (stage) => {
      await stage.until('the first version runs', () => canary(stage).phase === 'Initialized');
      const ledTo = (): unknown => {
        const route = stage.sandbox.store.get('kuma.io/v1alpha1', 'TrafficRoute', undefined, 'podinfo');
        return JSON.stringify(at(route, 'spec', 'conf', 'split'));
      };
      expect(ledTo()).toContain('podinfo-primary_test_svc_9898');
      await stage.push('no canary any more', { 'apps/podinfo/canary.yaml': null });
      await stage.until('the Canary is gone', () => object(stage, 'Canary', 'podinfo') === undefined);
      expect(ledTo()).toBe('[{"weight":100,"destination":{"kuma.io/service":"podinfo_test_svc_9898"}}]');
    });
  },
);
