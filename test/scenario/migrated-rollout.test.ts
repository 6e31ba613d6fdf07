import { expect, it } from 'vitest';
import { migrate } from '../../src/migrate/migrate.ts';
import { joined, namespaceYaml, rolloutYaml, serviceYaml } from '../migrate/a-rollout.ts';
import { image, object } from './look.ts';
import { outcome } from './outcomes.ts';
import { onStage } from './stage.ts';

const ingress = `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: shop
  namespace: test
spec:
  ingressClassName: nginx
  rules:
    - host: shop.example.com
      http:
        paths:
          - path: /
            pathType: Prefix
            backend: { service: { name: shop, port: { number: 80 } } }
`;
const strategy = `    canary:
      stableService: shop
      canaryService: shop-canary
      trafficRouting: { nginx: { stableIngress: shop } }
      steps:
        - setWeight: 20
        - pause: { duration: 10s }
        - setWeight: 60
        - pause: { duration: 10s }
`;

it('a Rollout that was migrated releases by its steps, and is promoted', { timeout: 120_000 }, async () => {
  const before = {
    'apps/namespace.yaml': namespaceYaml,
    'apps/services.yaml': joined(serviceYaml('shop'), serviceYaml('shop-canary'), ingress),
    'apps/rollout.yaml': rolloutYaml(strategy),
  };
  const { files: changed } = migrate(new Map(Object.entries(before)));
  const after = Object.fromEntries(changed.map(({ path, after: text = '' }) => [path, text]));
  await onStage({ files: { ...before, ...after }, hosts: ['shop.example.com'], perSecond: 8 }, async (stage) => {
    await stage.untilPushed('the ledger', () => stage.file('apps/.releases/test/shop.yaml'));
    // Users are led to what was running, by the Service that they have.
    expect(object(stage, 'Service', 'shop')?.['spec']).toMatchObject({ selector: { app: 'shop-primary' } });
    await stage.edit('release', 'apps/rollout.yaml', (text) => text.replace('podinfo:3.1.0', 'podinfo:3.1.1'));
    expect((await outcome(stage, 1)).trailers).toMatchObject({ Verdict: 'promoted' });
    const said = stage.happened.map(({ message }) => message);
    expect(said).toEqual(
      expect.arrayContaining(['Advance shop.test canary weight 20', 'Advance shop.test canary weight 60']),
    );
    expect(image(stage, 'shop-primary')).toBe('podinfo:3.1.1');
  });
});
