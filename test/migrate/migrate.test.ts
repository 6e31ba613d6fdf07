import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { runCommandLine } from '../../src/cli/command-line.ts';
import { readCondition } from '../../src/migrate/condition.ts';
import { unifiedDiff } from '../../src/migrate/diff.ts';
import { migrate } from '../../src/migrate/migrate.ts';
import { analysisYaml, joined, namespaceYaml, ofKind, rolloutYaml, serviceYaml } from './a-rollout.ts';

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

async function folderOf(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'serin-migrate-'));
  folders.push(folder);
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  return folder;
}

async function serin(...argv: readonly string[]): Promise<{ code: number; lines: string[]; errors: string }> {
  let out = '';
  let errors = '';
  const code = await runCommandLine({
    argv,
    environment: {},
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (errors += text) },
    signal: new AbortController().signal,
  });
  return { code, lines: out.trimEnd().split('\n'), errors };
}

const migrated = (files: Readonly<Record<string, string>>) => migrate(new Map(Object.entries(files)));
const fileOf = (files: Readonly<Record<string, string>>, path: string): string | undefined =>
  migrated(files).files.find((file) => file.path === path)?.after;
const notesOf = (files: Readonly<Record<string, string>>): string[] => {
  const { objects, notes } = migrated(files);
  return [...objects.flatMap((object) => object.notes), ...notes].map(
    ({ level, path, line, field, text }) => `${path}:${line} ${level} ${field ?? ''}: ${text}`,
  );
};

const weighted = `    canary:
      stableService: shop
      canaryService: shop-canary
      trafficRouting:
        nginx:
          stableIngress: shop
      analysis:
        templates:
          - templateName: errors
        args:
          - name: service-name
            value: shop-canary.test
      steps:
        - setWeight: 20
        - pause:
            duration: 30
        - setWeight: 50
        - pause: { duration: 1m }
`;
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
const base = {
  'namespace.yaml': namespaceYaml,
  'services.yaml': joined(serviceYaml('shop'), serviceYaml('shop-canary'), ingress),
  'analysis.yaml': analysisYaml(),
};

describe('a Rollout', () => {
  const files = { ...base, 'rollout.yaml': rolloutYaml(weighted) };

  it('becomes a Deployment with its comments, and a Canary with its steps', () => {
    const text = fileOf(files, 'rollout.yaml') ?? '';
    expect(text).toContain('# The shop.\napiVersion: apps/v1\nkind: Deployment\n');
    expect(text).toContain('replicas: 2 # enough');
    expect(text).toContain('podinfo:3.1.0 # the release');
    expect(ofKind(text, 'Deployment')).not.toHaveProperty('spec.strategy');
    expect(ofKind(text, 'Canary')).toEqual({
      apiVersion: 'flagger.app/v1beta1',
      kind: 'Canary',
      metadata: { name: 'shop', namespace: 'test' },
      spec: {
        provider: 'nginx',
        targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'shop' },
        ingressRef: { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', name: 'shop' },
        progressDeadlineSeconds: 600,
        service: { name: 'shop', port: 80, targetPort: 'http' },
        analysis: {
          interval: '1m',
          threshold: 3,
          stepWeights: [20, 50],
          metrics: [
            {
              name: 'errors',
              templateRef: { name: 'errors' },
              thresholdRange: { min: 0.95 },
              interval: '30s',
              templateVariables: { service_name: 'shop-canary.test', bound: '5..' },
            },
          ],
        },
      },
    });
    expect(ofKind(fileOf(files, 'analysis.yaml') ?? '', 'MetricTemplate')).toMatchObject({
      metadata: { name: 'errors', namespace: 'test' },
      spec: {
        provider: { type: 'prometheus', address: 'http://prometheus.monitoring:9090' },
        query: 'sum(rate(requests{service="{{ variables.service_name }}",code!~"{{ variables.bound }}"}[1m]))',
      },
    });
    expect(fileOf(files, 'services.yaml')).toBe(joined(serviceYaml('shop'), ingress));
    expect(notesOf(files)).toEqual([
      'rollout.yaml:37 told spec.strategy.canary.steps: pauses of 30s, 1m become one interval, the longest: 1m',
    ]);
  });

  it('keeps those serving who serve: its controller stops first, and it goes last', () => {
    const { before, after } = migrated(files);
    expect(before).toEqual(['kubectl -n argo-rollouts scale deployment argo-rollouts --replicas=0']);
    expect(after).toEqual([
      'kubectl -n test wait canary/shop --for=jsonpath={.status.phase}=Initialized --timeout=10m && kubectl -n test delete rollout shop',
    ]);
  });

  it.each([
    ['pause: {}', 'between its steps', 'confirm-traffic-increase', ['setWeight: 20', 'pause: {}', 'setWeight: 50']],
    ['pause: {}', 'at its end', 'confirm-promotion', ['setWeight: 20', 'setWeight: 50', 'pause: {}']],
    ['pause: {}', 'before them', 'confirm-rollout', ['pause: {}', 'setWeight: 20']],
  ])('has a gate for %s %s', (_step, _where, type, steps) => {
    const strategy = weighted.replace(
      / {6}steps:[^]*$/,
      `      steps:\n${steps.map((step) => `        - ${step}\n`).join('')}`,
    );
    const canary = ofKind(fileOf({ ...base, 'rollout.yaml': rolloutYaml(strategy) }, 'rollout.yaml') ?? '', 'Canary');
    expect(canary).toMatchObject({
      spec: { analysis: { webhooks: [{ type, url: 'http://serin.serin/gate/check' }] } },
    });
  });

  it.each([
    [
      'steps',
      weighted.replace('setWeight: 50', 'experiment: { templates: [] }'),
      /:\d+ by-hand spec\.strategy\.canary\.steps\[2\]: experiments have no equal/,
    ],
    ['steps', weighted.replace('setWeight: 50', 'setWeight: 10'), /setWeight 10 is no more than the step before/],
    ['steps', weighted.replace('duration: 1m', 'duration: soon'), /the duration of this pause cannot be read/],
    [
      'router',
      weighted.replace('nginx:\n          stableIngress: shop', 'alb:\n          ingress: shop'),
      /by-hand spec\.strategy\.canary\.trafficRouting\.alb: alb has no equal/,
    ],
    [
      'argument',
      weighted.replace('value: shop-canary.test', 'valueFrom: { podTemplateHashValue: Latest }'),
      /argument service-name comes from a field[^]*argument service-name of errors has no value/,
    ],
    [
      'analysis',
      weighted.replace('templateName: errors', 'templateName: other'),
      /AnalysisTemplate other is not in these files[^]*would promote whatever becomes ready/,
    ],
    ['field', weighted.replace('    canary:\n', '    canary:\n      fancy: true\n'), /fancy of canary is not known/],
    [
      'pods',
      weighted.replace('    canary:\n', '    canary:\n      antiAffinity: {}\n'),
      /told spec\.strategy\.canary\.antiAffinity: antiAffinity has no effect: write affinity/,
    ],
  ])('says of a %s that has no equal where it stands, and what to do', (_what, strategy, said) => {
    expect(notesOf({ ...base, 'rollout.yaml': rolloutYaml(strategy) }).join('\n')).toMatch(said);
  });

  it('that cannot be led stays as it is, and so does everything that belongs to it', () => {
    const strategy = weighted.replace(
      'nginx:\n          stableIngress: shop',
      'ambassador:\n          mappings: [shop]',
    );
    const { files: changed, objects } = migrated({ ...base, 'rollout.yaml': rolloutYaml(strategy) });
    expect(changed.map(({ path }) => path)).not.toContain('rollout.yaml');
    expect(objects.find(({ object }) => object.kind === 'Rollout')).toMatchObject({ verdict: 'by-hand' });
    expect(changed).toEqual([]);
  });

  it('without traffic routing is judged beside the old version, and then gets all users', () => {
    const strategy = weighted.replace(/ {6}trafficRouting:\n {8}nginx:\n.*\n/, '');
    const canary = ofKind(fileOf({ ...base, 'rollout.yaml': rolloutYaml(strategy) }, 'rollout.yaml') ?? '', 'Canary');
    expect(canary).toMatchObject({ spec: { provider: 'kubernetes', analysis: { iterations: 2, interval: '1m' } } });
  });

  it('that leads everybody at last is promoted instead', () => {
    const strategy = `${weighted}        - setWeight: 100\n`;
    const canary = ofKind(fileOf({ ...base, 'rollout.yaml': rolloutYaml(strategy) }, 'rollout.yaml') ?? '', 'Canary');
    expect(canary).toMatchObject({ spec: { analysis: { stepWeights: [20, 50] } } });
  });

  it('without a Service has one that Serin makes, at the port of its container', () => {
    const { 'services.yaml': _services, ...others } = base;
    const strategy = '    canary:\n      steps: [{ setWeight: 20 }, { pause: {} }, { setWeight: 40 }]\n';
    const canary = ofKind(fileOf({ ...others, 'rollout.yaml': rolloutYaml(strategy) }, 'rollout.yaml') ?? '', 'Canary');
    expect(canary).toMatchObject({
      spec: {
        service: { name: 'shop', port: 9898 },
        analysis: { iterations: 2, webhooks: [{ type: 'confirm-promotion' }] },
      },
    });
  });

  it.each([
    [
      'Service',
      'spec: { selector: { app: shop } }',
      /^by-hand other\.yaml:1 Service extra selects pods that are none at rest: .* app: shop-primary\. Lead it there$/m,
    ],
    [
      'PodDisruptionBudget',
      'spec: { selector: { matchLabels: { app: shop } } }',
      /^by-hand other\.yaml:1 PodDisruptionBudget extra selects the new version’s pods only/m,
    ],
    [
      'NetworkPolicy',
      'spec: { podSelector: { matchLabels: { app: shop } } }',
      /^by-hand other\.yaml:1 NetworkPolicy extra selects/m,
    ],
  ])('is told of a %s that would not reach its primary', (kind, spec, said) => {
    const other = (text: string) =>
      `apiVersion: v1\nkind: ${kind}\nmetadata: { name: extra, namespace: test }\n${text}\n`;
    const said_ = (text: string): string => {
      const { objects } = migrated({ ...base, 'rollout.yaml': rolloutYaml(weighted), 'other.yaml': other(text) });
      return objects
        .flatMap(({ notes }) => notes)
        .map((note) => `${note.level} ${note.path}:${note.line} ${note.text}`)
        .join('\n');
    };
    expect(said_(spec)).toMatch(said);
    expect(said_(spec.replace('app: shop', 'app: else'))).not.toContain('other.yaml');
  });

  it('of blue and green waits for its gate where it waited for a person', () => {
    const strategy = `    blueGreen:
      activeService: shop
      previewService: shop-preview
      autoPromotionEnabled: false
      prePromotionAnalysis:
        templates: [{ templateName: errors }]
        args: [{ name: service-name, value: shop-preview }]
`;
    const files_ = {
      ...base,
      'services.yaml': joined(serviceYaml('shop'), serviceYaml('shop-preview')),
      'rollout.yaml': rolloutYaml(strategy),
    };
    expect(ofKind(fileOf(files_, 'rollout.yaml') ?? '', 'Canary')).toMatchObject({
      spec: {
        provider: 'kubernetes',
        service: { name: 'shop' },
        analysis: { iterations: 2, interval: '30s', webhooks: [{ type: 'confirm-promotion' }] },
      },
    });
    expect(notesOf(files_).join('\n')).toMatch(/shop-preview is not used any more: Serin makes shop-canary/);
    expect(notesOf(files_).join('\n')).toMatch(
      /argument service-name of errors names shop-preview, which no canary is behind/,
    );
  });

  it('that names a Deployment gives it its pods back', () => {
    const rollout = `apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: { name: shop-rollout, namespace: test }
spec:
  replicas: 4
  workloadRef: { apiVersion: apps/v1, kind: Deployment, name: shop }
  strategy:
${weighted}`;
    const deployment = rolloutYaml('')
      .replace('argoproj.io/v1alpha1', 'apps/v1')
      .replace('kind: Rollout', 'kind: Deployment')
      .replace('replicas: 2', 'replicas: 0')
      .replace(/ {2}strategy:\n/, '');
    const files_ = { ...base, 'rollout.yaml': rollout, 'deployment.yaml': deployment };
    expect(fileOf(files_, 'deployment.yaml')).toBe(deployment.replace('replicas: 0', 'replicas: 4'));
    expect(fileOf(files_, 'rollout.yaml')).toMatch(
      /^apiVersion: flagger\.app\/v1beta1\nkind: Canary\nmetadata:\n {2}name: shop\n/,
    );
  });

  it('takes its autoscaler along, and those who route to it', () => {
    const hpa = `apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: { name: shop, namespace: test }
spec:
  scaleTargetRef: { apiVersion: argoproj.io/v1alpha1, kind: Rollout, name: shop }
  maxReplicas: 5
`;
    const route = `apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: { name: shop, namespace: test }
spec:
  routes:
    - kind: Rule
      match: Host(\`shop.example.com\`) # the door
      services:
        - kind: TraefikService
          name: shop-weighted
          port: 80
`;
    const weights =
      'apiVersion: traefik.io/v1alpha1\nkind: TraefikService\nmetadata: { name: shop-weighted, namespace: test }\nspec: {}\n';
    const strategy = weighted.replace(
      'nginx:\n          stableIngress: shop',
      'traefik:\n          weightedTraefikServiceName: shop-weighted',
    );
    const files_ = {
      ...base,
      'hpa.yaml': hpa,
      'route.yaml': joined(route, weights),
      'rollout.yaml': rolloutYaml(strategy),
    };
    expect(fileOf(files_, 'hpa.yaml')).toContain(
      'scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: shop }',
    );
    expect(fileOf(files_, 'route.yaml')).toBe(route.replace('shop-weighted', 'shop'));
    expect(ofKind(fileOf(files_, 'rollout.yaml') ?? '', 'Canary')).toMatchObject({
      spec: { provider: 'traefik', autoscalerRef: { kind: 'HorizontalPodAutoscaler', name: 'shop' } },
    });
  });

  it('by Gateway API keeps its route, which leads to the app alone', () => {
    const route = `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: edge, namespace: test }
spec:
  parentRefs: [{ name: edge }]
  rules:
    - backendRefs:
        - { name: shop, port: 80, weight: 100 }
        - { name: shop-canary, port: 80, weight: 0 }
`;
    const strategy = weighted.replace(
      'nginx:\n          stableIngress: shop',
      'plugins:\n          argoproj-labs/gatewayAPI:\n            httpRoute: edge\n            namespace: test',
    );
    const files_ = { ...base, 'route.yaml': route, 'rollout.yaml': rolloutYaml(strategy) };
    expect(fileOf(files_, 'route.yaml')).toContain('    - backendRefs:\n        - { name: shop, port: 80 }\n');
    expect(ofKind(fileOf(files_, 'rollout.yaml') ?? '', 'Canary')).toMatchObject({
      spec: { provider: 'gatewayapi:v1', service: { name: 'shop', routeRef: { name: 'edge' } } },
    });
  });

  it('by Istio gives its hosts and gateways to the Canary, and loses its VirtualService', () => {
    const virtual = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: shop, namespace: test }
spec:
  hosts: [shop.example.com]
  gateways: [edge]
  http:
    - name: primary
      timeout: 5s
      fault: {}
      route: [{ destination: { host: shop }, weight: 100 }, { destination: { host: shop-canary }, weight: 0 }]
`;
    const strategy = weighted.replace(
      'nginx:\n          stableIngress: shop',
      'istio:\n          virtualService: { name: shop, routes: [primary] }',
    );
    const files_ = {
      ...base,
      'virtual.yaml': virtual,
      'kustomization.yaml': 'resources:\n  - virtual.yaml # goes\n  - rollout.yaml\n',
      'rollout.yaml': rolloutYaml(strategy),
    };
    const { files: changed } = migrated(files_);
    expect(changed.find(({ path }) => path === 'virtual.yaml')?.after).toBeUndefined();
    expect(fileOf(files_, 'kustomization.yaml')).toBe('resources:\n  - rollout.yaml\n');
    expect(ofKind(fileOf(files_, 'rollout.yaml') ?? '', 'Canary')).toMatchObject({
      spec: { provider: 'istio', service: { hosts: ['shop.example.com'], gateways: ['edge'], timeout: '5s' } },
    });
    expect(notesOf(files_).join('\n')).toContain('of VirtualService shop these have no equal: fault');
  });

  it('in parts, as kustomize patches it, becomes a patch of the Deployment; what names it elsewhere is told', () => {
    const files_ = {
      'overlay/rollout-patch.yaml':
        'apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: { name: shop }\nspec:\n  replicas: 5 # busy\n',
      'overlay/kustomization.yaml':
        'resources: [../base]\npatches:\n  - path: rollout-patch.yaml\n    target:\n      kind: Rollout\n',
      'chart/Chart.yaml': 'apiVersion: v2\nname: chart\nversion: 1.0.0\n',
      'chart/templates/hpa.yaml': '{{- if .Values.hpa }}\nkind: HorizontalPodAutoscaler\n{{- end }}\n',
      'chart/templates/rollout.yaml':
        'apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata:\n  name: {{ .Release.Name }}\n',
    };
    expect(fileOf(files_, 'overlay/rollout-patch.yaml')).toContain(
      'kind: Deployment\nmetadata: { name: shop }\nspec:\n  replicas: 5 # busy\n',
    );
    expect(notesOf(files_)).toEqual([
      'overlay/kustomization.yaml:5 by-hand : names a Rollout: it is a Deployment from now on',
      'chart/templates/rollout.yaml:2 by-hand : a chart’s template: write it as Deployment and Canary there',
    ]);
  });
});

describe('a condition', () => {
  it.each([
    ['result[0] >= 0.95', { min: 0.95 }],
    ['result <= 5', { max: 5 }],
    ['result[0] < 0.05', { max: 0.05 }],
    ['len(result) == 0 || result[0] < 1e3', { max: 1000 }],
    ['isNaN(result[0]) || result[0] >= 99', { min: 99 }],
    ['len(result) > 0 && result[0] > 1 && result[0] < 5', { min: 1, max: 5 }],
    ['0.95 <= result[0]', { min: 0.95 }],
    ['default(result[0], 0) <= 3', { max: 3 }],
    ['result[0] == 1', { min: 1, max: 1 }],
  ])('%s is a range', (text, bounds) => {
    expect(readCondition(text)?.bounds).toEqual(bounds);
  });

  it.each([
    ['result[0] >= 0.05', { max: 0.05 }],
    ['result[0] < 1 || result[0] > 5', { min: 1, max: 5 }],
  ])('%s of failure is the contrary', (text, bounds) => {
    expect(readCondition(text, true)?.bounds).toEqual(bounds);
  });

  it.each([
    'all(result, {# < 5})',
    'result.a > 1 and result.b < 2',
    'result[0] >= 1 || result[0] <= -1',
    'result[1] > 5',
    'result[0] != 3',
    'true',
    '',
  ])('%s is more than a range', (text) => {
    expect(readCondition(text)).toBeUndefined();
  });

  it('of failure by two terms at once is none', () => {
    expect(readCondition('result[0] > 5 && result[0] < 9', true)).toBeUndefined();
  });
});

describe('what Flux, Flagger and Argo CD left', () => {
  const of = (text: string) => migrated({ 'a.yaml': text });

  it.each([
    ['kustomize.toolkit.fluxcd.io/v1', 'Kustomization', 'stays', 'flux suspend kustomization a -n b'],
    ['helm.toolkit.fluxcd.io/v2', 'HelmRelease', 'stays', 'flux suspend helmrelease a -n b'],
    ['helm.fluxcd.io/v1', 'HelmRelease', 'stays', undefined],
    ['image.toolkit.fluxcd.io/v1beta2', 'ImageUpdateAutomation', 'by-hand', undefined],
    ['image.toolkit.fluxcd.io/v1beta2', 'ImagePolicy', 'stays', undefined],
    ['notification.toolkit.fluxcd.io/v1beta3', 'Alert', 'by-hand', undefined],
    ['source.toolkit.fluxcd.io/v1', 'Bucket', 'by-hand', undefined],
    [
      'argoproj.io/v1alpha1',
      'Application',
      'stays',
      `kubectl -n b patch application a --type merge -p '{"spec":{"syncPolicy":{}}}'`,
    ],
    ['argoproj.io/v1alpha1', 'AppProject', 'unused', undefined],
    ['argoproj.io/v1alpha1', 'Experiment', 'by-hand', undefined],
    ['flagger.app/v1beta1', 'MetricTemplate', 'stays', undefined],
    ['apps/v1', 'StatefulSet', 'stays', undefined],
  ])('%s %s %s', (apiVersion, kind, verdict, command) => {
    const { objects, before, files } = of(
      `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: { name: a, namespace: b }\nspec: {}\n`,
    );
    expect(objects).toMatchObject([{ verdict, line: 1, text: expect.stringMatching(/./) }]);
    expect(before).toEqual(command === undefined ? [] : [command]);
    expect(files).toEqual([]);
  });

  it('Flagger’s settings are Serin’s, wherever Flagger has them', () => {
    const release = of(`apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: { name: flagger, namespace: flagger-system }
spec:
  chart: { spec: { chart: flagger } }
  values: { meshProvider: nginx, metricsServer: "http://prometheus:9090", slack: { url: "https://hooks.example.com/x", channel: "" } }
`);
    expect(Object.fromEntries(release.settings)).toEqual({
      'mesh-provider': 'nginx',
      'metrics-server': 'http://prometheus:9090',
      'slack-url': 'https://hooks.example.com/x',
    });
    const deployment = of(`apiVersion: apps/v1
kind: Deployment
metadata: { name: flagger, namespace: istio-system }
spec:
  template: { spec: { containers: [{ image: "ghcr.io/fluxcd/flagger:1.36.1", command: [./flagger, -mesh-provider=istio, -log-level=info] }] } }
`);
    expect([...deployment.settings]).toEqual([['mesh-provider', 'istio']]);
    expect(deployment.before).toEqual(['kubectl -n istio-system scale deployment flagger --replicas=0']);
  });

  it('image policies of Flux v1 and what it generates are told', () => {
    const { objects, notes } = migrated({
      '.flux.yaml': 'version: 1\n',
      'a.yaml':
        'apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: a, annotations: { fluxcd.io/automated: "true" } }\nspec: {}\n',
    });
    expect(objects[0]?.text).toContain(
      'new tags that its policy takes become commits and releases: stop Flux v1 first',
    );
    expect(notes).toMatchObject([{ path: '.flux.yaml', level: 'by-hand' }]);
  });
});

describe('serin migrate', () => {
  const files = { ...base, 'rollout.yaml': rolloutYaml(weighted) };

  it('tells of each object, with a diff that git takes, and changes nothing unless it is told to', async () => {
    const folder = await folderOf(files);
    execFileSync('git', ['init', '--quiet', folder]);
    const { code, lines, errors } = await serin('migrate', folder);
    expect({ code, errors }).toEqual({ code: 0, errors: '' });
    expect(lines).toContain(
      'rollout.yaml:2: Rollout test/shop becomes a Deployment, and a Canary: 20, 50 % of users, 1m each',
    );
    expect(lines).toContain('services.yaml:14: Service test/shop-canary goes: Serin makes it');
    expect(await readFile(join(folder, 'rollout.yaml'), 'utf8')).toBe(files['rollout.yaml']);
    const json = await serin('migrate', folder, '--json');
    const said = json.lines.map((line) => JSON.parse(line) as { diff?: string; before?: string[] });
    const patch = said.map(({ diff = '' }) => diff).join('');
    execFileSync('git', ['apply', '-'], { cwd: folder, input: patch });
    expect(await readFile(join(folder, 'rollout.yaml'), 'utf8')).toBe(fileOf(files, 'rollout.yaml'));
    expect(said.at(-1)).toEqual({ before: expect.any(Array), settings: {}, after: expect.any(Array) });
  });

  it('writes what validate finds no error in, and has nothing left to do then', async () => {
    const folder = await folderOf(files);
    expect((await serin('migrate', folder, '--write')).code).toBe(0);
    const checked = await serin('validate', folder);
    expect(checked.lines.filter((line) => line.includes(' error '))).toEqual([]);
    expect(checked.code).toBe(0);
    expect((await serin('migrate', folder)).lines.at(-2)).toBe(
      '6 objects: 0 files to change, nothing is left to do by hand',
    );
  });

  it('exits with 3 where something is to be done by hand, and with 2 where there is no folder', async () => {
    const folder = await folderOf({
      ...base,
      'rollout.yaml': rolloutYaml(weighted.replace('setWeight: 50', 'plugin: { name: x }')),
    });
    expect((await serin('migrate', folder)).code).toBe(3);
    expect((await serin('migrate', join(folder, 'none'))).code).toBe(2);
  });
});

describe('a unified diff', () => {
  it('is what git makes of it again, whatever the texts are', () => {
    const text = fc.array(fc.constantFrom('a\n', 'b\n', 'c\n', 'd'), { maxLength: 30 }).map((lines) => lines.join(''));
    fc.assert(
      fc.property(text, text, (before, after) => {
        const diff = unifiedDiff('x', before, after);
        expect(applied(before, diff)).toBe(after);
      }),
    );
  });
});

/** As patch does, strictly. */
function applied(before: string, diff: string): string {
  const old = before.split(/(?<=\n)/).filter((line) => line !== '');
  const lines = diff.split('\n').slice(3, -1);
  const out: string[] = [];
  let at = 0;
  for (const [index, line] of lines.entries()) {
    if (line.startsWith('\\')) continue;
    const hunk = /^@@ -(\d+),(\d+) /.exec(line);
    const text = lines[index + 1]?.startsWith('\\') ? line.slice(1) : `${line.slice(1)}\n`;
    if (hunk) {
      const from = Number(hunk[2]) === 0 ? Number(hunk[1]) : Number(hunk[1]) - 1;
      out.push(...old.slice(at, from));
      at = from;
    } else if (line.startsWith('+')) out.push(text);
    else {
      expect(old[at]).toBe(text);
      if (line.startsWith(' ')) out.push(text);
      at += 1;
    }
  }
  return [...out, ...old.slice(at)].join('');
}
