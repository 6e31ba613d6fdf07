import { expect, it } from 'vitest';
import { appFiles, appPath, canaryYaml, configYaml, deploymentYaml, hostOf, toTag } from './apps.ts';
import { canary, object } from './look.ts';
import { outcome } from './outcomes.ts';
import { expectSound } from './soundness.ts';
import { onceMore, onStage, type Stage } from './stage.ts';
import { versionsSeen, visit } from './visitors.ts';

const host = hostOf();
const routePath = 'apps/route.yaml';
/** What a team has that came from an Ingress: two rules, one of them for several services, with filters. */
const route = `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: edge
  namespace: test
  labels: { team: web }
spec:
  parentRefs:
    - name: public
  hostnames: [${host}]
  rules:
    - matches:
        - path: { type: PathPrefix, value: /legacy }
      filters:
        - type: URLRewrite
          urlRewrite:
            path: { type: ReplacePrefixMatch, replacePrefixMatch: / }
      backendRefs:
        - name: podinfo
          port: 9898
          weight: 3
        - name: old
          port: 9898
          weight: 1
    - backendRefs:
        - name: podinfo
          port: 9898
`;
const old = {
  'apps/old/app.yaml': `${deploymentYaml({ name: 'old', tag: '3.0.9' })}---\n${configYaml({ name: 'old' })}---
apiVersion: v1
kind: Service
metadata: { name: old, namespace: test }
spec:
  selector: { app: old }
  ports: [{ name: http, port: 9898, targetPort: http }]
`,
};
const adopting = canaryYaml({ steps: '[20, 40]', interval: '20s' }).replace(
  /    hosts:[^]*?  analysis:/,
  '    routeRef: { name: edge }\n  revertOnDeletion: true\n  analysis:',
);
const backendsOf = (stage: Stage): unknown[][] =>
  (
    (object(stage, 'HTTPRoute', 'edge')?.['spec'] as { rules?: { backendRefs: Record<string, unknown>[] }[] })?.rules ??
    []
  ).map(({ backendRefs }) => backendRefs.map(({ name, weight }) => `${String(name)} ${String(weight)}`));
const at = (canaryWeight: number): unknown[][] => {
  const shares = (of: number): string[] => [
    `podinfo-primary ${of * (100 - canaryWeight)}`,
    `podinfo-canary ${of * canaryWeight}`,
  ];
  return [[...shares(3), 'old 100'], shares(1)];
};

it(
  'a route of its users is split where it leads to the app, follows Git all the while, and is given back',
  onceMore,
  async () => {
    const files = { ...appFiles(), ...old, 'apps/podinfo/canary.yaml': adopting, [routePath]: route };
    await onStage({ files, hosts: [host], perSecond: 6 }, async (stage) => {
      await stage.until('the first version runs', () => canary(stage).phase === 'Initialized');
      expect(backendsOf(stage)).toEqual(at(0));
      expect(object(stage, 'HTTPRoute', 'podinfo')).toBeUndefined();

      await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
      await stage.until('users on the canary', () => canary(stage).weight === 20);
      expect(backendsOf(stage)).toEqual(at(20));
      expect([...(await versionsSeen(stage, host, 20))].sort()).toEqual(['3.1.0', '3.1.1']);

      // A person adds a header in the middle of the release.
      const filter = `    - filters:
        - type: ResponseHeaderModifier
          responseHeaderModifier: { set: [{ name: x-edge, value: new }] }
      backendRefs:
        - name: podinfo
          port: 9898
`;
      await stage.edit('a header for all', routePath, (text) => text.replace(/    - backendRefs:[^]*$/, filter));
      await stage.until('the header', async () => {
        const { headers } = await visit(stage, host);
        return headers['x-edge'] === 'new';
      });
      const [, shares] = backendsOf(stage);
      expect(shares).toEqual(at(canary(stage).weight)[1]);
      expect(canary(stage).weight).toBeGreaterThan(0);

      await stage.until('the release is promoted', () => canary(stage).phase === 'Succeeded');
      expect(backendsOf(stage)).toEqual(at(0));
      expect((await outcome(stage, 1)).trailers).toMatchObject({ Verdict: 'promoted' });
      expect(object(stage, 'HTTPRoute', 'edge')?.metadata).toMatchObject({ labels: { team: 'web' } });
      expect(object(stage, 'HTTPRoute', 'edge')?.metadata.ownerReferences).toBeUndefined();
      await expectSound(stage);

      await stage.push('no canary any more', { 'apps/podinfo/canary.yaml': null });
      await stage.until('the route as it was', () => {
        const shown = JSON.stringify(backendsOf(stage));
        return shown === '[["podinfo 3","old 1"],["podinfo 1"]]';
      });
      await stage.until('the Canary is gone', () => object(stage, 'Canary', 'podinfo') === undefined);
      expect(JSON.stringify(backendsOf(stage))).toBe('[["podinfo 3","old 1"],["podinfo 1"]]');
    });
  },
);

it('a route that leads to the app is found where its Canary names none, and given back', onceMore, async () => {
  const seeking = adopting.replace('    routeRef: { name: edge }\n', '').replace('  revertOnDeletion: true\n', '');
  expect(seeking).not.toMatch(/routeRef|gatewayRefs/);
  const files = { ...appFiles(), ...old, 'apps/podinfo/canary.yaml': seeking, [routePath]: route };
  await onStage({ files, hosts: [host] }, async (stage) => {
    await stage.until('the first version runs', () => canary(stage).phase === 'Initialized');
    expect(backendsOf(stage)).toEqual(at(0));
    expect(object(stage, 'Canary', 'podinfo')?.['spec']).toMatchObject({
      service: { routeRef: { kind: 'HTTPRoute', name: 'edge' } },
    });
    const other = route.replace('name: edge', 'name: inner').replace(host, 'inner.example');
    await stage.push('another route to the app', { 'apps/inner.yaml': other });
    await stage.until('the other route', () => object(stage, 'HTTPRoute', 'inner') !== undefined);
    // Who starts anew does not know which of them it was: what stands stays.
    await stage.agent.stop();
    const from = stage.log.length;
    await stage.start();
    await stage.said(/spec\.service\.routeRef: is missing, and several routes lead to the app: .*edge.*; what stands/, {
      from,
    });
    await stage.restsFor(10_000);
    expect(object(stage, 'Canary', 'podinfo')?.['spec']).toMatchObject({ service: { routeRef: { name: 'edge' } } });
    expect(backendsOf(stage)).toEqual(at(0));
    await stage.push('one route again', { 'apps/inner.yaml': null });
    await stage.until('the other route is gone', () => object(stage, 'HTTPRoute', 'inner') === undefined);
    await stage.push('no canary any more', { 'apps/podinfo/canary.yaml': null });
    await stage.until('the Canary is gone', () => object(stage, 'Canary', 'podinfo') === undefined);
    expect(JSON.stringify(backendsOf(stage))).toBe('[["podinfo 3","old 1"],["podinfo 1"]]');
  });
});
