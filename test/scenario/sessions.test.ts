import { expect, it } from 'vitest';
import { appFiles, appPath, canaryYaml, hostOf, toTag } from './apps.ts';
import { canary, image, object, replicas } from './look.ts';
import { outcome } from './outcomes.ts';
import { expectSound } from './soundness.ts';
import { onceMore, onStage, patient, type Stage } from './stage.ts';
import { versionsSeen, visit } from './visitors.ts';

const host = hostOf();
const initialized = (stage: Stage): Promise<boolean> =>
  stage.until('the first version runs', () => canary(stage).phase === 'Initialized');
const succeeded = (stage: Stage): Promise<boolean> =>
  stage.until('the release is promoted', () => canary(stage).phase === 'Succeeded');
const statusOf = (stage: Stage) =>
  (object(stage, 'Canary', 'podinfo')?.['status'] ?? {}) as Record<string, string | undefined>;
const specOf = (stage: Stage, kind: string, name: string): Readonly<Record<string, unknown>> =>
  (object(stage, kind, name)?.['spec'] ?? {}) as Record<string, unknown>;
const rulesOf = (stage: Stage) => specOf(stage, 'HTTPRoute', 'podinfo')['rules'];

it('users stay with the version that they met first, also through a restart of the agent [E15]', onceMore, async () => {
  const affinity = `
    sessionAffinity:
      cookieName: canary-session
      primaryCookieName: primary-session
      maxAge: 3600
`;
  const files = {
    ...appFiles(),
    'apps/podinfo/canary.yaml': canaryYaml({ steps: '[30, 60]', interval: '20s' }).trimEnd() + affinity,
  };
  await onStage({ files, hosts: [host], perSecond: 6 }, async (stage) => {
    await initialized(stage);
    await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
    await stage.until('users on the canary', () => canary(stage).weight === 30);
    const cookieOf = (name: string, version: string): Promise<string> =>
      stage.until(`a ${name} of ${version}`, async () => {
        const { setCookies, version: met } = await visit(stage, host);
        return met === version ? setCookies.find((cookie) => cookie.startsWith(`${name}=`)) : undefined;
      });
    const current = await cookieOf('canary-session', '3.1.1');
    const primary = await cookieOf('primary-session', '3.1.0');
    expect(current).toMatch(/^canary-session=[a-zA-Z]{10}; Max-Age=3600$/);
    expect(primary).toMatch(/^primary-session=[a-zA-Z]{10}; Max-Age=20$/);
    const [onCanary = '', onPrimary = ''] = [current.split(';')[0], primary.split(';')[0]];
    expect(await versionsSeen(stage, host, 12, { cookie: `a=b; ${onCanary}` })).toEqual(['3.1.1']);
    expect(await versionsSeen(stage, host, 12, { cookie: onPrimary })).toEqual(['3.1.0']);
    expect(statusOf(stage)).toMatchObject({
      sessionAffinityCookie: onCanary,
      primarySessionAffinityCookie: onPrimary,
    });

    await stage.agent.stop();
    await stage.start();
    await stage.until('more users on the canary', () => canary(stage).weight === 60);
    expect(await versionsSeen(stage, host, 12, { cookie: onCanary })).toEqual(['3.1.1']);

    await succeeded(stage);
    expect(statusOf(stage)['sessionAffinityCookie']).toBeUndefined();
    expect(statusOf(stage)['previousSessionAffinityCookie']).toBe(onCanary);
    const last = await visit(stage, host, { cookie: onCanary });
    expect(last).toMatchObject({ version: '3.1.1', setCookies: [`${onCanary}; Max-Age=-1`] });
    expect((await visit(stage, host)).setCookies).toEqual([]);
    expect(rulesOf(stage)).toHaveLength(2);
    expect((await outcome(stage, 1)).subject).toBe('promote test/podinfo 3.1.1');
    await expectSound(stage);
  });
});

const abCanary = (text: string, more: string): string =>
  text
    .replace(
      / {4}stepWeights: .*\n/,
      '    iterations: 3\n    match:\n      - headers:\n          x-canary:\n            exact: insider\n',
    )
    .replace(/ {4}metrics:\n[^]*$/, '')
    .replace('  analysis:', `${more}  analysis:`);

it('with Traefik only users under test meet the new version, by a copy of their own route', onceMore, async () => {
  const ingressRoute = `apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata:
  name: web
  namespace: test
spec:
  entryPoints: [web]
  routes:
    - kind: Rule
      match: Host(\`${host}\`)
      services:
        - kind: TraefikService
          name: podinfo
`;
  const ref = `  ingressRef:
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    name: web
`;
  const { 'apps/namespaces/test.yaml': namespaces = '', ...app } = appFiles({ provider: 'traefik' });
  const files = {
    ...app,
    'apps/namespaces/test.yaml': namespaces.split('---')[0] ?? '',
    'apps/podinfo/route.yaml': ingressRoute,
    'apps/podinfo/canary.yaml': abCanary(canaryYaml({ provider: 'traefik' }), ref),
  };
  const insider = { 'x-canary': 'insider' };
  await onStage({ files, routing: 'traefik', hosts: [host] }, async (stage) => {
    const copies = () => specOf(stage, 'IngressRoute', 'web-canary')['routes'];
    await initialized(stage);
    expect(copies()).toEqual([]);
    await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
    await stage.until('users under test on the canary', () => JSON.stringify(copies() ?? []) !== '[]');
    expect(await versionsSeen(stage, host, 8, insider)).toEqual(['3.1.1']);
    expect(await versionsSeen(stage, host, 8)).toEqual(['3.1.0']);
    await succeeded(stage);
    expect(copies()).toEqual([]);
    expect(await versionsSeen(stage, host, 8, insider)).toEqual(['3.1.1']);
    expect(await versionsSeen(stage, host, 8)).toEqual(['3.1.1']);
    expect((await outcome(stage, 1)).subject).toBe('promote test/podinfo 3.1.1');
    await expectSound(stage);
  });
});

it(
  'a VirtualService and a Service of before are taken over, and given back when the Canary goes [E06]',
  patient,
  async () => {
    const before = `apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata:
  name: podinfo
  namespace: test
spec:
  hosts: [podinfo.example.test]
  http:
    - route:
        - destination:
            host: podinfo
---
apiVersion: v1
kind: Service
metadata:
  name: podinfo
  namespace: test
spec:
  selector:
    app: podinfo
  ports:
    - name: http
      port: 9898
      targetPort: http
`;
    const { 'apps/namespaces/test.yaml': namespaces = '', ...app } = appFiles({ provider: 'istio' });
    const istio = canaryYaml({ provider: 'istio' }).replace(
      '  progressDeadline',
      '  revertOnDeletion: true\n  progressDeadline',
    );
    const files = {
      ...app,
      'apps/namespaces/test.yaml': namespaces.split('---')[0] ?? '',
      'apps/podinfo/route.yaml': before,
      'apps/podinfo/canary.yaml': istio,
    };
    await onStage({ files, routing: 'istio' }, async (stage) => {
      const route = () =>
        specOf(stage, 'VirtualService', 'podinfo') as { hosts: string[]; http: { route: unknown[] }[] };
      const selector = () => specOf(stage, 'Service', 'podinfo')['selector'];
      await initialized(stage);
      expect(route().http[0]?.route).toEqual([
        { destination: { host: 'podinfo-primary' }, weight: 100 },
        { destination: { host: 'podinfo-canary' }, weight: 0 },
      ]);
      expect(selector()).toEqual({ app: 'podinfo-primary' });
      expect(replicas(stage, 'podinfo')).toBe(0);
      await stage.push('no canary any more', { 'apps/podinfo/canary.yaml': null });
      await stage.until('the Canary is gone', () => object(stage, 'Canary', 'podinfo') === undefined);
      expect(route()).toEqual({
        hosts: ['podinfo.example.test'],
        http: [{ route: [{ destination: { host: 'podinfo' } }] }],
      });
      expect(object(stage, 'VirtualService', 'podinfo')?.metadata.annotations ?? {}).toEqual({});
      expect(selector()).toEqual({ app: 'podinfo' });
      expect(replicas(stage, 'podinfo')).toBe(2);
      expect(image(stage, 'podinfo')).toBe('podinfo:3.1.0');
      // Git has its say again.
      await stage.edit('another host', 'apps/podinfo/route.yaml', (text) =>
        text.replace('podinfo.example', 'shop.example'),
      );
      await stage.until('Git is followed', () => route().hosts[0] === 'shop.example.test');
    });
  },
);
