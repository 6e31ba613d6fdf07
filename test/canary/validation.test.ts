import { describe, expect, it } from 'vitest';
import { labelProblem } from '../../src/canary/labels.ts';
import { parseCanary, warningsOf } from '../../src/canary/parse.ts';
import { fieldsOfOthers } from '../../src/routers/unused-fields.ts';
import type { CanarySpec, Question } from '../../src/canary/types.ts';
import { AgentError } from '../../src/lib/errors.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { createModelCluster } from '../helpers/model-cluster.ts';
import { createRollout } from '../helpers/rollout.ts';

type Members = Readonly<Record<string, unknown>>;

const analysis: Members = {
  interval: '30s',
  threshold: 5,
  stepWeight: 10,
  metrics: [{ name: 'request-success-rate', thresholdRange: { min: 99 } }],
};
function canary(spec: Members = {}, change: Members = {}, metadata: Members = {}): KubeObject {
  return {
    apiVersion: 'flagger.app/v1beta1',
    kind: 'Canary',
    metadata: { name: 'podinfo', namespace: 'test', ...metadata },
    spec: {
      targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'podinfo' },
      service: { port: 80 },
      analysis: { ...analysis, ...change },
      ...spec,
    },
  };
}
function problems(object: KubeObject, noCrossNamespaceRefs = false): string {
  try {
    parseCanary(object, { provider: 'istio', minIntervalMs: 10_000, noCrossNamespaceRefs });
  } catch (error) {
    if (error instanceof AgentError) return error.message;
    throw error;
  }
  return '';
}

describe('a Canary that may only speak of its own namespace', () => {
  const upstream = (namespace?: string): Members => ({
    upstreamRef: { apiVersion: 'gloo.solo.io/v1', kind: 'Upstream', name: 'u', ...(namespace ? { namespace } : {}) },
  });
  const template = (namespace?: string): Members => ({
    metrics: [{ name: 'm', templateRef: { name: 't', ...(namespace ? { namespace } : {}) }, threshold: 1 }],
  });
  const alert = (namespace?: string): Members => ({
    alerts: [{ name: 'a', providerRef: { name: 'p', ...(namespace ? { namespace } : {}) } }],
  });
  const blocked = 'cross-namespace references are blocked';

  it.each<[string, KubeObject, string]>([
    ['an upstream [CV01]', canary(upstream('gloo')), `can't access gloo upstream u.gloo, ${blocked}`],
    ['a metric template [CV03]', canary({}, template('other')), `can't access metric template t.other, ${blocked}`],
    ['an alert provider [CV05]', canary({}, alert('other')), `can't access alert provider p.other, ${blocked}`],
  ])('is refused with %s of another one, in Flagger’s words', (_what, object, text) => {
    expect(problems(object, true)).toContain(text);
    expect(problems(object)).toBe('');
  });

  it('is refused with what its tenants may not refer to, also where nothing else is blocked', () => {
    const tenancy = { mayRefer: (from: string, to: string) => from === 'test' && to === 'platform' };
    const told = (change: Members): string => {
      try {
        parseCanary(canary({}, change), { provider: 'istio', minIntervalMs: 10_000, tenancy });
        return '';
      } catch (error) {
        return (error as AgentError).message;
      }
    };
    expect(told({ ...template('other'), ...alert('elsewhere') })).toContain(
      "can't access metric template t.other, the tenants of namespace test may not refer to namespace other",
    );
    expect(told({ ...template('other'), ...alert('elsewhere') })).toContain("can't access alert provider p.elsewhere");
    expect(told({ ...template('platform'), ...alert() })).toBe('');
  });

  it.each<[string, KubeObject]>([
    ['an upstream [CV02]', canary(upstream('test'))],
    ['an upstream without a namespace [CV02]', canary(upstream())],
    ['a metric template without a namespace [CV04] [CM03]', canary({}, template())],
    ['an alert provider of it', canary({}, alert('test'))],
  ])('is taken with %s', (_what, object) => {
    expect(problems(object, true)).toBe('');
  });

  it('may go whatever it speaks of', () => {
    expect(problems(canary({}, template('other'), { deletionTimestamp: '2026-01-01T00:00:00Z' }), true)).toBe('');
  });
});

describe('several entrances of a Canary', () => {
  const entering = (ingressRefs: unknown, more: Members = {}): KubeObject =>
    canary({ provider: 'nginx', ingressRefs, ...more });
  const refsOf = (object: KubeObject): Pick<CanarySpec, 'ingressRefs' | 'ingressRef' | 'routeRef'> => {
    const { ingressRefs, ingressRef, routeRef } = parseCanary(object, { provider: 'istio', minIntervalMs: 10_000 });
    return { ingressRefs, ingressRef, routeRef } as Pick<CanarySpec, 'ingressRefs' | 'ingressRef' | 'routeRef'>;
  };
  const ref = (apiVersion: string, kind: string, name: string): unknown => ({
    apiVersion,
    kind,
    namespace: 'test',
    name,
  });

  it('are of the kind that the provider splits where they name none', () => {
    const ofIngress = ['web', 'api'].map((name) => ref('networking.k8s.io/v1', 'Ingress', name));
    const names = [{ name: 'web' }, { name: 'api' }];
    expect(refsOf(entering(names))).toEqual({ ingressRefs: ofIngress, ingressRef: ofIngress[0] });
    expect(refsOf(entering(names, { provider: 'traefik' })).ingressRefs).toEqual(
      ['web', 'api'].map((name) => ref('traefik.io/v1alpha1', 'IngressRoute', name)),
    );
    const routes = ['web', 'api'].map((name) => ref('apisix.apache.org/v2', 'ApisixRoute', name));
    expect(refsOf(entering(names, { provider: 'apisix' }))).toEqual({ ingressRefs: routes, routeRef: routes[0] });
  });

  it('have the one that ingressRef names as their first, once', () => {
    const more = { ingressRef: { kind: 'Ingress', name: 'api' } };
    const [web, api] = ['web', 'api'].map((name) => ref('networking.k8s.io/v1', 'Ingress', name));
    expect(refsOf(entering([{ name: 'web' }, { name: 'api' }], more))).toEqual({
      ingressRefs: [api, web],
      ingressRef: api,
    });
    for (const none of [undefined, null, []]) expect(refsOf(entering(none, more))).toEqual({ ingressRef: api });
  });

  it.each<[string, unknown, string]>([
    [
      'one twice',
      [{ name: 'a' }, { name: 'b' }, { name: 'a' }],
      'spec.ingressRefs[2].name: is named by spec.ingressRefs[0], too',
    ],
    [
      'the copy of another one',
      [{ name: 'a-canary' }, { name: 'a' }],
      'spec.ingressRefs[0].name: is the copy for the canary of a',
    ],
    ['one without a name', [{ kind: 'Ingress' }], 'spec.ingressRefs[0].name: is required'],
    ['another kind', [{ kind: 'IngressRoute', name: 'a' }], 'spec.ingressRefs[0].kind'],
    ['no list', { name: 'a' }, 'spec.ingressRefs'],
    [
      'too many',
      Array.from({ length: 51 }, (_, index) => ({ name: `n${index}` })),
      'has 51 entries, and 50 are the most',
    ],
  ])('are refused with %s', (_what, refs, message) => {
    expect(problems(entering(refs))).toContain(message);
  });
});

describe('a Canary', () => {
  it.each(['HTTPRoute', 'GRPCRoute', undefined])('names a route of its own namespace only: %s', (kind) => {
    const naming = (namespace?: string): KubeObject =>
      canary({ provider: 'gatewayapi:v1', service: { port: 80, routeRef: { kind, name: 'edge', namespace } } });
    expect(problems(naming('edge'))).toContain(
      "spec.service.routeRef.namespace: is another namespace than the Canary's: Gateway API leads a route",
    );
    expect(problems(naming('test'))).toBe('');
    expect(problems(naming())).toBe('');
  });

  it('without an analysis harms nobody: it is released without one [R83]', () => {
    const { skipAnalysis } = parseCanary(canary({ analysis: undefined }), { provider: 'istio', minIntervalMs: 1 });
    expect(skipAnalysis).toBe(true);
    expect(problems(canary({ analysis: null }))).toBe('');
  });

  it.each<[string, Members, string]>([
    ['steps of nothing [R12]', { stepWeight: 0 }, 'says no way to release'],
    ['no rounds at all [R12]', { stepWeight: undefined, iterations: 0 }, 'says no way to release'],
    ['an interval with something behind it [R90]', { interval: '1m please' }, 'is no duration'],
    [
      'a window that Prometheus cannot read [R90]',
      { metrics: [{ name: 'm', query: 'up', interval: '1.5m' }] },
      'no window',
    ],
    ['a copied share above all [R90]', { mirror: true, mirrorWeight: 150 }, 'must be at most 100'],
    ['a readiness below none [R90]', { primaryReadyThreshold: -1 }, 'must be at least 0'],
    ['a policy that nobody knows', { inconclusive: { noTraffic: 'wait' } }, 'unknown value "wait"'],
    ['a policy that lets an outage pass', { inconclusive: { unreachable: 'pass' } }, 'unknown value "pass"'],
  ])('is refused with %s', (_what, change, text) => {
    expect(problems(canary({}, change))).toContain(text);
  });

  it('may be looked at every two hours [R90]', () => {
    const parsed = parseCanary(canary({}, { interval: '2h' }), { provider: 'istio', minIntervalMs: 10_000 });
    expect(parsed.analysis.intervalMs).toBe(7_200_000);
  });

  it('says what of its names is too long for those that are derived from it [R91]', () => {
    expect(problems(canary({ service: { port: 80, name: 'n'.repeat(56) } }))).toContain(
      'too long for the name of a Service',
    );
    expect(problems(canary({ service: { port: 80, name: 'n'.repeat(55) } }))).toBe('');
    const label = (length: number) => labelProblem({ label: 'app', value: 'v'.repeat(length) });
    expect(label(55)).toBeUndefined();
    expect(label(56)).toBe(
      `the label app of the primary, ${'v'.repeat(56)}-primary, would be longer than 63 characters: choose a shorter value`,
    );
  });

  it('has a metric with a query and a template asked both ways [CM08]', () => {
    const metrics = [{ name: 'm', query: 'up', templateRef: { name: 't' }, thresholdRange: { min: 1 } }];
    const world = createModelCluster({
      canarySpec: {
        provider: 'traefik',
        ...(canary({}, { interval: '10s', metrics })['spec'] as Members),
        targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
      },
    });
    const asked: Question[] = [];
    const rollout = createRollout({
      world,
      answer: (question) => {
        asked.push(question);
        return question.kind === 'metric' ? { kind: 'value', value: 5 } : { kind: 'passed' };
      },
    });
    rollout.run(world.nowMs + 20_000);
    world.setImage('example.org/app:2.0.0');
    rollout.run(world.nowMs + 30_000);
    const ways = asked.flatMap((question) =>
      question.kind === 'metric' ? [question.metric.templateRef ? 'template' : (question.metric.query ?? '')] : [],
    );
    expect(ways.slice(0, 2)).toEqual(['up', 'template']);
    expect(rollout.status.failedChecks).toBe(0);
  });
});

describe('fields that do nothing', () => {
  const told = (object: KubeObject, provider?: string): string[] =>
    [...warningsOf(object), ...(provider === undefined ? [] : fieldsOfOthers(object, provider))].map(
      ({ field, message, hint }) => `${field} ${message}${hint ? ` (${hint})` : ''}`,
    );

  it.each<[string, string, Members, Members, string]>([
    [
      'of another provider',
      'nginx',
      { service: { port: 80, gateways: ['mesh'] } },
      {},
      'spec.service.gateways has no effect with provider nginx (only istio use it)',
    ],
    [
      'of another provider',
      'istio',
      { routeRef: { name: 'r' } },
      {},
      'spec.routeRef has no effect with provider istio (only apisix use it)',
    ],
    [
      'of mirroring',
      'contour',
      {},
      { mirror: true },
      'spec.analysis.mirror has no effect with provider contour (only gatewayapi, istio use it)',
    ],
    [
      'of steps',
      'istio',
      {},
      { stepWeight: undefined, iterations: 3, stepWeightPromotion: 10 },
      'spec.analysis.stepWeightPromotion has no effect with iterations',
    ],
    [
      'of gates',
      'istio',
      {},
      { webhooks: [{ name: 'h', url: 'http://a.test', muteAlert: true }] },
      'spec.analysis.webhooks[0].muteAlert has no effect: only confirm-* hooks raise alerts',
    ],
    [
      'beside a range',
      'istio',
      {},
      { metrics: [{ name: 'request-duration', threshold: 5, thresholdRange: { max: 5 } }] },
      'spec.analysis.metrics[0].threshold has no effect beside thresholdRange',
    ],
  ])('are told: those %s', (_what, provider, spec, change, text) => {
    expect(told(canary(spec, change), provider)).toContain(text);
  });

  it('are not told where it is not known who moves the traffic, or where they say nothing', () => {
    expect(told(canary({ service: { port: 80, gateways: ['mesh'] } }))).toEqual([]);
    expect(told(canary({ service: { port: 80, gateways: [] } }, { mirror: false }), 'nginx')).toEqual([]);
  });
});
