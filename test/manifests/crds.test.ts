import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { resolver, type Schema } from '../../src/sandbox/api/schema.ts';
import { validate } from '../../src/sandbox/api/validate.ts';

type Members = Readonly<Record<string, unknown>>;
interface Definition {
  readonly kind?: string;
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: {
    readonly scope: string;
    readonly names: { readonly kind: string; readonly categories?: readonly string[]; readonly shortNames?: unknown };
    readonly versions: readonly {
      readonly name: string;
      readonly subresources?: unknown;
      readonly additionalPrinterColumns: readonly Members[];
      readonly schema: { readonly openAPIV3Schema: DescribedSchema };
    }[];
  };
}
type DescribedSchema = Schema & { readonly description?: string };

const root = join(import.meta.dirname, '../..');
const kinds = ['Canary', 'MetricTemplate', 'AlertProvider'] as const;
type Kind = (typeof kinds)[number];

function definitionsIn(...paths: readonly string[]): Readonly<Record<Kind, Definition>> {
  const all = paths.flatMap((path) =>
    parseAllDocuments(readFileSync(join(root, path), 'utf8')).flatMap((document) => {
      const object = document.toJS() as Definition | null;
      return object?.kind === 'CustomResourceDefinition' ? [object] : [];
    }),
  );
  return Object.fromEntries(all.map((definition) => [definition.spec.names.kind, definition])) as Record<
    Kind,
    Definition
  >;
}
const ours = definitionsIn(
  ...['canaries', 'metrictemplates', 'alertproviders'].map((name) => `manifests/crds/${name}.flagger.app.yaml`),
);
const flaggers = definitionsIn('fixtures/crds/flagger.yaml');

const versionOf = ({ spec }: Definition) => {
  const [version] = spec.versions;
  if (!version) throw new Error('a definition without versions');
  return version;
};
const schemaOf = (definition: Definition): DescribedSchema => versionOf(definition).schema.openAPIV3Schema;
const complaints = (definition: Definition, object: unknown): string[] =>
  validate(schemaOf(definition), object, resolver({})).map(({ message }) => message);

/** Every schema inside another one, with its place. */
function* within(schema: DescribedSchema, place: string): Generator<[string, DescribedSchema]> {
  yield [place, schema];
  for (const [name, member] of Object.entries(schema.properties ?? {})) yield* within(member, `${place}.${name}`);
  if (schema.items) yield* within(schema.items, `${place}[]`);
  if (typeof schema.additionalProperties === 'object') yield* within(schema.additionalProperties, `${place}{}`);
}

describe.each(kinds)('the definition of %s', (kind) => {
  it('shows the columns of Flagger’s, and has its subresource and its categories', () => {
    const [own, other] = [versionOf(ours[kind]), versionOf(flaggers[kind])];
    const shown = ({ name, jsonPath, priority = 0 }: Members) => ({ name, jsonPath, priority });
    expect(own.additionalPrinterColumns.map(shown)).toEqual(other.additionalPrinterColumns.map(shown));
    expect(own.subresources).toEqual({ status: {} });
    expect(ours[kind].spec).toMatchObject({ scope: 'Namespaced', names: { categories: ['all'] } });
    expect(ours[kind].spec.names.shortNames).toBeUndefined();
    expect(ours[kind].metadata.annotations).toMatchObject({ 'helm.sh/resource-policy': 'keep' });
  });

  it('knows every field of Flagger’s, of the same type, and no value fewer', () => {
    const own = new Map(within(schemaOf(ours[kind]), kind));
    const isFree = (place: string): boolean =>
      [...own].some(([above, schema]) => place.startsWith(above) && schema['x-kubernetes-preserve-unknown-fields']);
    const lacking = [...within(schemaOf(flaggers[kind]), kind)].flatMap(([place, schema]) => {
      const mine = own.get(place);
      if (!mine) return isFree(place) ? [] : [`${place} is missing`];
      const types = schema.type === 'number' ? ['number', 'integer'] : [schema.type];
      if (!types.includes(mine.type)) return [`${place} is ${String(mine.type)}, not ${String(schema.type)}`];
      const values = (schema.enum ?? []).filter((value) => !mine.enum?.includes(value));
      const needed = (mine.required ?? []).filter((name) => !schema.required?.includes(name));
      return [
        ...values.map((value) => `${place} does not take ${String(value)}`),
        ...needed.filter((name) => `${place}.${name}` !== `${kind}.spec`).map((name) => `${place}.${name} is required`),
      ];
    });
    expect(lacking).toEqual([]);
  });

  it('explains every field', () => {
    const silent = [...within(schemaOf(ours[kind]), kind)].filter(
      ([place, { description }]) => !/[\]}]$|\.metadata$/.test(place) && !description,
    );
    expect(silent.map(([place]) => place)).toEqual([]);
  });
});

/** Canaries as people write them for Flagger, one for each provider and way to release. */
const examples: readonly Members[] = [
  {
    provider: 'istio',
    service: {
      port: 80,
      gateways: ['mesh'],
      hosts: ['a.b'],
      trafficPolicy: { tls: { mode: 'DISABLE' } },
      match: [{ uri: { prefix: '/' } }],
      retries: { attempts: 3, perTryTimeout: '1s', retryOn: 'gateway-error' },
      headers: { request: { add: { a: 'b' } } },
      corsPolicy: { allowOrigins: [{ exact: '*' }], allowCredentials: false, maxAge: '24h' },
    },
  },
  {
    provider: 'gatewayapi:v1',
    service: {
      port: 80,
      targetPort: 9898,
      hosts: ['a.b'],
      gatewayRefs: [{ name: 'g', namespace: 'n' }],
      mirror: [{ backendRef: { name: 'm', port: 80 } }],
      rewrite: { uri: '/', type: 'ReplacePrefixMatch' },
    },
  },
  { provider: 'nginx', ingressRef: { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', name: 'web' } },
  { provider: 'linkerd', analysis: { interval: '10s', threshold: 5, stepWeights: [5, 10, 15, 25, 50], maxWeight: 50 } },
  { provider: 'kubernetes', analysis: { interval: '30s', threshold: 2, iterations: 10 } },
  { provider: 'gloo', upstreamRef: { apiVersion: 'gloo.solo.io/v1', kind: 'Upstream', name: 'u', namespace: 'gloo' } },
  { provider: 'apisix', routeRef: { apiVersion: 'apisix.apache.org/v2', kind: 'ApisixRoute', name: 'r' } },
  { provider: 'appmesh', service: { port: 80, meshName: 'global', backends: ['a.b'], timeout: '15s' } },
  {
    provider: 'knative',
    targetRef: { apiVersion: 'serving.knative.dev/v1', kind: 'Service', name: 'app' },
    service: undefined,
  },
  {
    autoscalerRef: {
      apiVersion: 'keda.sh/v1alpha1',
      kind: 'ScaledObject',
      name: 'app',
      primaryScalerQueries: { q: 'up' },
      primaryScalerReplicas: { minReplicas: 2, maxReplicas: 5 },
    },
  },
  {
    analysis: {
      interval: '1m',
      threshold: 10,
      iterations: 2,
      match: [
        { headers: { 'x-canary': { regex: '.*insider.*' } } },
        { headers: { cookie: { exact: 'canary' } }, sourceLabels: { app: 'x' } },
      ],
    },
  },
  {
    analysis: {
      interval: '1m30s',
      threshold: 5,
      stepWeight: 5,
      maxWeight: 50,
      mirror: true,
      mirrorWeight: 100,
      stepWeightPromotion: 20,
      sessionAffinity: { cookieName: 'c', primaryCookieName: 'p', maxAge: 3600, sameSite: 'Lax' },
    },
  },
  {
    analysis: {
      interval: '15s',
      threshold: 5,
      stepWeight: 5,
      metrics: [
        {
          name: 'a',
          templateRef: { name: 't', namespace: 'n' },
          thresholdRange: { max: 0.5 },
          interval: '2m',
          templateVariables: { a: 'b' },
        },
        { name: 'b', query: 'up', threshold: 99.5 },
      ],
      alerts: [{ name: 'x', severity: '', providerRef: { name: 's' } }],
      webhooks: [
        {
          name: 'h',
          type: '',
          url: 'http://tester.test/',
          timeout: '500ms',
          retries: 3,
          disableTLS: true,
          metadata: { cmd: 'hey' },
        },
      ],
    },
  },
];

const canary = (spec: Members): Members => ({
  apiVersion: 'flagger.app/v1beta1',
  kind: 'Canary',
  metadata: { name: 'app', namespace: 'test' },
  spec: {
    targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
    service: { port: 80 },
    analysis: { interval: '1m', threshold: 5, stepWeight: 10, maxWeight: 50 },
    ...spec,
  },
});
const withAnalysis = (change: Members): Members =>
  canary({ analysis: { interval: '1m', threshold: 5, stepWeight: 10, ...change } });

describe('Canaries for Flagger', () => {
  it.each(examples.map((spec) => [JSON.stringify(spec).slice(0, 90), spec] as const))(
    'are taken: %s',
    (_name, spec) => {
      const object: unknown = JSON.parse(JSON.stringify(canary(spec)));
      expect(complaints(flaggers.Canary, object)).toEqual([]);
      expect(complaints(ours.Canary, object)).toEqual([]);
    },
  );

  it('are taken: those of all recordings, stories, seeds and of the demo', () => {
    const read = (folder: string, ending: string) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
        .filter((path) => path.endsWith(ending))
        .map((path) => readFileSync(join(root, folder, path), 'utf8'));
    const specs = [
      ...read('fixtures/golden', '.json').map((text) => (JSON.parse(text) as { canarySpec?: Members }).canarySpec),
      ...read('fixtures/rollouts', '.yaml').map((text) => ({
        targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
        service: { port: 80 },
        ...(parse(text) as { canary: Members }).canary,
      })),
    ].filter((spec) => spec !== undefined);
    const objects = [
      ...specs.map((spec) => canary(spec)),
      ...['fixtures/seeds', 'fixtures/demo'].flatMap((folder) =>
        read(folder, '.yaml').flatMap((text) => parseAllDocuments(text).map((document) => document.toJS() as Members)),
      ),
    ].filter((object) => String(object?.['apiVersion']).startsWith('flagger.app/'));
    expect(objects.length).toBeGreaterThan(20);
    for (const object of objects) {
      const kind = kinds.find((name) => name === object['kind']);
      expect(kind && complaints(ours[kind], object), JSON.stringify(object)).toEqual([]);
    }
  });
});

describe('Canaries that Flagger’s schema lets through', () => {
  it.each<[string, Members]>([
    ['half a percent [R1]', { stepWeight: 7.5 }],
    ['half a check [R1]', { threshold: 1.5 }],
    ['half a round [R1]', { stepWeight: undefined, iterations: 2.5 }],
    ['steps of half a percent [R1]', { stepWeight: undefined, stepWeights: [0.5, 10] }],
    ['half a repeat [R1]', { webhooks: [{ name: 'h', url: 'http://a.test', retries: 0.5 }] }],
    ['a weight above 100 [R90]', { maxWeight: 150 }],
    ['a weight below 0 [R90]', { stepWeight: -5 }],
    ['a duration with something behind it [R90]', { interval: '30seconds' }],
    ['a window with something behind it [R90]', { metrics: [{ name: 'a', query: 'up', interval: '1m ago' }] }],
    ['an address that is none', { webhooks: [{ name: 'h', url: 'tester.test' }] }],
  ])('are refused with %s', (_what, change) => {
    const object: unknown = JSON.parse(JSON.stringify(withAnalysis(change)));
    expect(complaints(flaggers.Canary, object)).toEqual([]);
    expect(complaints(ours.Canary, object)).not.toEqual([]);
  });

  it.each<[string, Members]>([
    ['a port that is none', canary({ service: { port: 70_000 } })],
    ['half a second', canary({ progressDeadlineSeconds: 0.5 })],
  ])('are refused with %s [R1]', (_what, object) => {
    expect(complaints(flaggers.Canary, object)).toEqual([]);
    expect(complaints(ours.Canary, object)).not.toEqual([]);
  });
});

describe('what Flagger’s schema wrongly refuses', () => {
  it.each<[string, Kind, Members]>([
    ['checks every hour [R90]', 'Canary', withAnalysis({ interval: '1h' })],
    ['an empty provider, as charts write it', 'Canary', canary({ provider: '' })],
    ['no analysis where it is skipped', 'Canary', canary({ analysis: undefined, skipAnalysis: true })],
    [
      'users of Traefik told apart',
      'Canary',
      canary({ ingressRef: { apiVersion: 'traefik.io/v1alpha1', kind: 'IngressRoute', name: 'web' } }),
    ],
    ['any server as a receiver of alerts', 'AlertProvider', { spec: { type: 'webhook', address: 'https://a.test' } }],
  ])('is taken: %s', (_what, kind, object) => {
    const plain: unknown = JSON.parse(JSON.stringify(object));
    expect(complaints(flaggers[kind], plain)).not.toEqual([]);
    expect(complaints(ours[kind], plain)).toEqual([]);
  });

  it('stays refused where it is wrong', () => {
    const never: readonly [Kind, Members][] = [
      ['Canary', canary({ analysis: undefined })],
      ['Canary', withAnalysis({ iterations: 5 })],
      ['Canary', withAnalysis({ inconclusive: { unreachable: 'pass' } })],
      ['Canary', canary({ targetRef: { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'app' } })],
      ['MetricTemplate', { spec: { provider: { type: 'promteheus' }, query: 'up' } }],
      ['AlertProvider', { spec: { type: 'slack' } }],
    ];
    for (const [kind, object] of never)
      expect(complaints(ours[kind], JSON.parse(JSON.stringify(object))), JSON.stringify(object)).not.toEqual([]);
    expect(complaints(ours.Canary, withAnalysis({ inconclusive: { noTraffic: 'hold', noSeries: 'pass' } }))).toEqual(
      [],
    );
  });
});
