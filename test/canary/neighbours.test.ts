import { describe, expect, it } from 'vitest';
import { checkManifests } from '../../src/checks/check.ts';
import { createNotices } from '../../src/agent/source/notices.ts';
import { appsOf } from '../../src/canary/app.ts';
import { parseManifests } from '../../src/manifest/parse.ts';
import type { Manifest, Problem } from '../../src/manifest/types.ts';
import { appKey } from '../helpers/key.ts';

const settings = {
  provider: 'kubernetes',
  minIntervalMs: 10_000,
  defaultNamespace: 'default',
  selectorLabels: ['app', 'name', 'app.kubernetes.io/name'],
};

const app = (podSpec = ''): string => `apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: shop }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web, tier: front } }
    spec:
      containers: [ { name: main, image: "x:1", ports: [ { containerPort: 80 } ] } ]
${podSpec}
---
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: { name: web, namespace: shop }
spec:
  targetRef: { apiVersion: apps/v1, kind: Deployment, name: web }
  service: { port: 80 }
  analysis: { interval: 10s, threshold: 2, iterations: 3, metrics: [ { name: request-success-rate, thresholdRange: { min: 99 } } ] }
`;
const object = (apiVersion: string, kind: string, spec: string, name = 'near', namespace = 'shop'): string =>
  `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec: ${spec}\n`;

function problems(...documents: readonly string[]): readonly Problem[] {
  const { manifests } = parseManifests('x.yaml', documents.join('---\n'));
  return checkManifests(manifests, appsOf(manifests, 'default'), settings, () => undefined);
}
const said = (...documents: readonly string[]): string[] => problems(...documents).map(({ message }) => message);

const byApp = '{ matchLabels: { app: web } }';
const term = `{ labelSelector: ${byApp}, topologyKey: zone }`;

describe('what selects the pods of a target', () => {
  it.each([
    ['PodDisruptionBudget spec.selector', object('policy/v1', 'PodDisruptionBudget', `{ selector: ${byApp} }`)],
    ['NetworkPolicy spec.podSelector', object('networking.k8s.io/v1', 'NetworkPolicy', `{ podSelector: ${byApp} }`)],
    [
      'NetworkPolicy spec.ingress[0].from[1].podSelector',
      object(
        'networking.k8s.io/v1',
        'NetworkPolicy',
        `{ podSelector: { matchLabels: { app: db } }, ingress: [ { from: [ { ipBlock: { cidr: 10.0.0.0/8 } }, { podSelector: ${byApp} } ] } ] }`,
      ),
    ],
    [
      'NetworkPolicy spec.egress[0].to[0].podSelector',
      object(
        'networking.k8s.io/v1',
        'NetworkPolicy',
        `{ podSelector: {}, egress: [ { to: [ { podSelector: ${byApp}, namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: shop } } } ] } ] }`,
        'near',
        'other',
      ),
    ],
    ['Service spec.selector', object('v1', 'Service', '{ selector: { app: web }, ports: [ { port: 1 } ] }')],
    ['PodMonitor spec.selector', object('monitoring.coreos.com/v1', 'PodMonitor', `{ selector: ${byApp} }`)],
    [
      'PodMonitor spec.selector',
      object(
        'monitoring.coreos.com/v1',
        'PodMonitor',
        `{ selector: ${byApp}, namespaceSelector: { matchNames: [shop] } }`,
        'near',
        'monitoring',
      ),
    ],
    [
      'AuthorizationPolicy spec.selector',
      object('security.istio.io/v1', 'AuthorizationPolicy', `{ selector: ${byApp} }`),
    ],
    [
      'PeerAuthentication spec.selector',
      object('security.istio.io/v1', 'PeerAuthentication', `{ selector: ${byApp} }`, 'near', 'istio-system'),
    ],
    [
      'Sidecar spec.workloadSelector.labels',
      object('networking.istio.io/v1', 'Sidecar', '{ workloadSelector: { labels: { app: web } } }'),
    ],
    ['Telemetry spec.selector', object('telemetry.istio.io/v1', 'Telemetry', `{ selector: ${byApp} }`)],
    [
      'CiliumNetworkPolicy spec.endpointSelector',
      object('cilium.io/v2', 'CiliumNetworkPolicy', `{ endpointSelector: ${byApp} }`),
    ],
    [
      'PodDisruptionBudget spec.selector',
      object(
        'policy/v1',
        'PodDisruptionBudget',
        '{ selector: { matchExpressions: [ { key: app, operator: In, values: [web, api] } ] } }',
      ),
    ],
    [
      'Deployment spec.template.spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector',
      object(
        'apps/v1',
        'Deployment',
        `{ selector: { matchLabels: { app: cache } }, template: { metadata: { labels: { app: cache } }, spec: { affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [ ${term} ] } } } } }`,
      ),
    ],
  ])('and not those of its primary is named: %s', (place, document) => {
    const [found, ...more] = problems(app(), document);
    expect(more).toEqual([]);
    expect(found).toMatchObject({ severity: 'warning', canary: { namespace: 'shop', name: 'web' } });
    const [kind = '', field = ''] = place.split(' ');
    expect(found?.message).toMatch(new RegExp(`^${kind} \\w[-\\w]*/near `));
    expect(found?.message).toContain(` ${field}: `);
    expect(found?.message).toContain('app=web-primary');
  });

  it.each([
    ['selects both', object('policy/v1', 'PodDisruptionBudget', '{ selector: { matchLabels: { tier: front } } }')],
    ['selects everything', object('networking.k8s.io/v1', 'NetworkPolicy', '{ podSelector: {} }')],
    [
      'selects both by an expression',
      object(
        'policy/v1',
        'PodDisruptionBudget',
        '{ selector: { matchExpressions: [ { key: app, operator: In, values: [web, web-primary] } ] } }',
      ),
    ],
    [
      'is of another namespace',
      object('policy/v1', 'PodDisruptionBudget', `{ selector: ${byApp} }`, 'near', 'default'),
    ],
    [
      'selects others',
      object('policy/v1', 'PodDisruptionBudget', '{ selector: { matchLabels: { app: web, tier: back } } }'),
    ],
    ['is the apex Service', object('v1', 'Service', '{ selector: { app: web }, ports: [ { port: 80 } ] }', 'web')],
    ['is a policy of Istio for all', object('security.istio.io/v1', 'AuthorizationPolicy', '{ action: DENY }')],
    [
      'has another one beside it for the primary',
      [
        object('policy/v1', 'PodDisruptionBudget', `{ selector: ${byApp} }`),
        object(
          'policy/v1',
          'PodDisruptionBudget',
          '{ selector: { matchLabels: { app: web-primary } } }',
          'near-primary',
        ),
      ].join('---\n'),
    ],
  ])('is not named where it %s', (_what, document) => {
    expect(said(app(), document)).toEqual([]);
  });

  it('is the target itself where it names its own pods and the primary gets that as it is', () => {
    const affinity = (kind: string, list: string): string => `      affinity: { ${kind}: { ${list} } }`;
    const required = `requiredDuringSchedulingIgnoredDuringExecution: [ ${term} ]`;
    expect(said(app(affinity('podAffinity', required)))).toEqual([
      'Deployment shop/web spec.template.spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector: names its own pods by app=web, and is copied to the primary, whose pods have app=web-primary: at rest there is no pod that it names',
    ]);
    // These are written anew for the primary.
    expect(said(app(affinity('podAntiAffinity', required)))).toEqual([]);
    expect(said(app(`      topologySpreadConstraints: [ ${term} ]`))).toEqual([]);
  });

  it('is a ServiceMonitor that finds the users’ Service, and not that of the canary', () => {
    const monitor = object(
      'monitoring.coreos.com/v1',
      'ServiceMonitor',
      `{ selector: ${byApp}, endpoints: [ { port: http } ] }`,
    );
    expect(said(app(), monitor)).toEqual([
      'ServiceMonitor shop/near spec.selector: selects the Service web, but not web-canary: a new version has no metrics while it is judged',
    ]);
    const all = object(
      'monitoring.coreos.com/v1',
      'ServiceMonitor',
      '{ selector: { matchExpressions: [ { key: app, operator: Exists } ] } }',
    );
    expect(said(app(), all)).toEqual([]);
  });

  it('is a Service of several workloads, of which the Canary takes it over for one', () => {
    const other = object(
      'apps/v1',
      'Deployment',
      '{ selector: { matchLabels: { app: api } }, template: { metadata: { labels: { app: api, tier: front } } } }',
      'api',
    );
    expect(
      said(app(), other, object('v1', 'Service', '{ selector: { tier: front }, ports: [ { port: 80 } ] }', 'web')),
    ).toEqual([
      'Service shop/web spec.selector: leads to the pods of Deployment api too; as soon as the Canary is initialised, only to those of Deployment web',
    ]);
  });
});

describe('a thousand apps of one namespace', () => {
  it('are not compared with each other one by one', () => {
    const budget = object('policy/v1', 'PodDisruptionBudget', `{ selector: ${byApp} }`, 'web');
    const one = JSON.stringify(parseManifests('web.yaml', [app(), budget].join('---\n')).manifests);
    const manifests = Array.from(
      { length: 1_000 },
      (_, index) => JSON.parse(one.replaceAll('web', `web${index}`)) as Manifest[],
    ).flat();
    const before = process.cpuUsage();
    const found = checkManifests(manifests, appsOf(manifests, 'default'), settings, () => undefined);
    const cpuMs = process.cpuUsage(before).user / 1_000;
    expect(found).toHaveLength(1_000);
    // One by one it is half a minute.
    expect(cpuMs).toBeLessThan(6_000);
  });
});

describe('workloads that cannot be told apart', () => {
  it('are refused, at the Canary', () => {
    const other = object(
      'apps/v1',
      'StatefulSet',
      '{ selector: { matchLabels: { app: web, role: db } }, template: { metadata: { labels: { app: web, role: db } } } }',
      'db',
    );
    expect(problems(app(), other)).toMatchObject([
      {
        severity: 'error',
        message: expect.stringContaining('of StatefulSet db would be answered by each other') as string,
      },
    ]);
  });

  it('are refused where the Service to be taken over is another’s', () => {
    const service = object('v1', 'Service', '{ selector: { app: gateway }, ports: [ { port: 80 } ] }', 'web');
    expect(problems(app(), service)).toMatchObject([
      { severity: 'error', message: expect.stringContaining('leads to other pods (app=gateway)') as string },
    ]);
  });
});

describe('an event of the Canary', () => {
  it('tells of each once, and again where it was mended in between', () => {
    const told: string[] = [];
    let isThere = false;
    const canary = { apiVersion: 'flagger.app/v1beta1', kind: 'Canary', metadata: { name: 'web', namespace: 'shop' } };
    const notices = createNotices(
      () => (isThere ? canary : undefined),
      (_canary, _spec, { message }) => void told.push(message),
    );
    const found = problems(app(), object('policy/v1', 'PodDisruptionBudget', `{ selector: ${byApp} }`));
    notices.know(found);
    expect(told).toEqual([]);
    isThere = true;
    notices.tell(appKey('shop/web'));
    notices.tell(appKey('shop/web'));
    notices.know(found.map((problem) => ({ ...problem, line: problem.line + 3 })));
    expect(told).toEqual([
      expect.stringMatching(/^x\.yaml:\d+ PodDisruptionBudget shop\/near spec\.selector: selects the pods/),
    ]);
    notices.know([]);
    notices.know(found);
    expect(told).toHaveLength(2);
  });
});
