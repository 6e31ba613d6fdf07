import { describe, expect, it } from 'vitest';
import { at, listOf } from '../../src/lib/json.ts';
import type { Answer, Question } from '../../src/canary/types.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { initialised, podinfo, type Podinfo, type PodinfoOptions } from './podinfo.ts';

const steps = { stepWeight: 10, maxWeight: 50 };
const gatewayRefs = [{ name: 'gateway', namespace: 'istio-ingress' }];
const ingressRef = { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', name: 'podinfo' };
const ingress: KubeObject = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { name: 'podinfo', namespace: 'demo' },
  spec: {
    ingressClassName: 'nginx',
    rules: [
      {
        host: 'podinfo.example.org',
        http: {
          paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'podinfo', port: { number: 9898 } } } }],
        },
      },
    ],
  },
} as KubeObject;
const hook = (type: string, name: string) => ({ type, name, url: `http://loadtester.test/${name}` });

/** Success rate and P99 of the canary; hooks pass unless they are named. */
function answering({ rate = 100, durationMs = 100, closed = new Set<string>() } = {}): (question: Question) => Answer {
  return (question) => {
    if (question.kind === 'hook')
      return closed.has(question.hook.name) ? { kind: 'rejected', reason: 'no' } : { kind: 'passed' };
    if (question.kind === 'metrics-online') return { kind: 'value', value: 1 };
    if (question.kind === 'pods' || question.kind === 'endpoints') return { kind: question.kind };
    return { kind: 'value', value: question.metric.name.includes('duration') ? durationMs : rate };
  };
}

function promoted(story: Podinfo, tag = '2'): Podinfo {
  story.setImage(tag);
  story.until('Succeeded');
  expect(story.image('podinfo-primary')).toBe(`podinfo:${tag}`);
  expect(story.replicas('podinfo')).toBe(0);
  expect(story.split()).toBe('100/0');
  return story;
}

function rolledBack(story: Podinfo, tag = '2'): Podinfo {
  story.setImage(tag);
  story.until('Failed');
  expect(story.image('podinfo-primary')).toBe('podinfo:1');
  expect(story.replicas('podinfo')).toBe(0);
  expect(story.split()).toBe('100/0');
  return story;
}

const asked = ({ rollout }: Podinfo): Question[] => rollout.ticks.flatMap(({ asked: questions }) => questions);
const hooksOf = (story: Podinfo): string[] =>
  asked(story).flatMap((question) => (question.kind === 'hook' ? [question.hook.name] : []));
/** All shares that the canary had, in order. */
const sharesOf = ({ rollout }: Podinfo): number[] =>
  rollout.ticks.flatMap(({ effects }) =>
    effects.flatMap((effect) => (effect.kind === 'set-route' ? [effect.split.canaryWeight] : [])),
  );

describe('istio', () => {
  it('leads the apex Service to the primary first [E01]', () => {
    const { world } = initialised({
      analysis: steps,
      service: { apex: { labels: { team: 'web' }, annotations: { contact: 'web@example.org' } } },
    });
    const apex = world.objects.get('Service/podinfo');
    expect(apex?.metadata.labels).toMatchObject({ team: 'web' });
    expect(apex?.metadata.annotations).toMatchObject({ contact: 'web@example.org' });
    expect(at(apex, 'spec', 'selector')).toEqual({ app: 'podinfo-primary' });
  });

  it('is promoted by its own metrics and by those of a template elsewhere, under load [E02]', () => {
    const templated = {
      name: 'latency',
      templateRef: { name: 'latency', namespace: 'istio-system' },
      thresholdRange: { max: 500 },
      templateVariables: { direction: 'inbound' },
    };
    const metrics = [{ name: 'request-success-rate', thresholdRange: { min: 99 }, interval: '1m' }, templated];
    const story = promoted(
      initialised({ analysis: { ...steps, metrics, webhooks: [hook('rollout', 'load')] }, answer: answering() }),
    );
    expect(asked(story)).toContainEqual(
      expect.objectContaining({
        metric: expect.objectContaining({
          name: 'latency',
          templateRef: { namespace: 'istio-system', name: 'latency' },
          templateVariables: { direction: 'inbound' },
        }) as unknown,
      }),
    );
    expect(hooksOf(story)).toContain('load');
  });

  it('runs tests before blue/green, and follows a port that changes with it [E03]', () => {
    const closed = new Set(['grpc-test']);
    const webhooks = [hook('pre-rollout', 'http-test'), hook('pre-rollout', 'grpc-test')];
    const service = { port: 80, targetPort: 9898, portName: 'http' };
    const story = initialised({ analysis: { iterations: 5, webhooks }, service, answer: answering({ closed }) });
    story.change({ service: { ...service, port: 9898, hosts: ['podinfo.example.org'] } });
    story.setImage('2');
    story.step(2);
    expect(story.rollout.status).toMatchObject({ phase: 'Progressing', iterations: 0, failedChecks: 1 });
    closed.clear();
    promoted(story);
    expect(at(story.world.objects.get('Service/podinfo'), 'spec', 'ports')).toMatchObject([{ port: 9898 }]);
    expect(story.messages()).toContain('Pre-rollout check grpc-test passed');
    expect(story.messages()).toContain('Advance podinfo.demo canary iteration 5/5');
  });

  it('tries users with a cookie, asks for approval, and tells afterwards [E04]', () => {
    const closed = new Set(['approve']);
    const story = initialised({
      analysis: {
        iterations: 2,
        match: [{ headers: { cookie: { regex: '^(.*?;)?(type=insider)(;.*)?$' } } }],
        webhooks: [hook('confirm-promotion', 'approve'), hook('post-rollout', 'tell')],
      },
      answer: answering({ closed }),
    });
    story.setImage('2');
    story.until('WaitingPromotion');
    expect(story.split()).toBe('0/100');
    expect(JSON.stringify(story.route('VirtualService')?.['spec'])).toContain('type=insider');
    closed.clear();
    promoted(story);
    expect(story.messages()).toContain('Post-rollout check tell passed');
  });

  it('gives the target its pods back when the Canary goes [E05]', () => {
    const story = initialised({ canary: { revertOnDeletion: true }, analysis: steps });
    expect(story.world.canary.metadata.finalizers).toEqual(['finalizer.flagger.app']);
    const metadata = { ...story.world.canary.metadata, deletionTimestamp: '2026-01-01T01:00:00Z' };
    story.world.canary = { ...story.world.canary, metadata };
    story.step(2);
    expect(story.replicas('podinfo')).toBe(1);
    expect(at(story.world.objects.get('Service/podinfo'), 'spec', 'selector')).toEqual({ app: 'podinfo' });
    expect(story.world.canary.metadata.finalizers).toEqual([]);
  });

  it('is promoted without analysis, and keeps its primary where the image is bad [E07] [E08]', () => {
    const story = promoted(initialised({ canary: { skipAnalysis: true }, analysis: steps }));
    expect(sharesOf(story)).toEqual([]);
    story.world.brokenImages.add('podinfo:3');
    story.setImage('3');
    story.until('Failed');
    expect(story.image('podinfo-primary')).toBe('podinfo:2');
    expect(story.replicas('podinfo-primary')).toBe(1);
  });

  it('is moved by a VirtualService that another delegates to [E09]', () => {
    const story = initialised({
      analysis: steps,
      service: { delegation: true, hosts: undefined, gateways: undefined },
    });
    expect(at(story.route('VirtualService'), 'spec', 'hosts')).toEqual([]);
    expect(at(story.route('VirtualService'), 'spec', 'gateways')).toBeUndefined();
    promoted(story);
    expect(sharesOf(story)).toEqual([10, 20, 30, 40, 50, 0]);
  });

  it('keeps its users where they are, and forgets them afterwards [E10]', () => {
    const story = initialised({ analysis: { ...steps, sessionAffinity: { cookieName: 'flagger-cookie' } } });
    story.setImage('2');
    story.step(2);
    const { sessionAffinityCookie: cookie = '' } = story.rollout.status;
    expect(cookie).toMatch(/^flagger-cookie=\w+$/);
    const rules = at(story.route('VirtualService'), 'spec', 'http') as readonly Record<string, unknown>[];
    // Who carries the cookie goes to the canary, all others by weight, and those who land on it get it.
    expect(rules).toHaveLength(2);
    expect(JSON.stringify(rules[0])).toContain(cookie.replace('=', '.*'));
    expect(JSON.stringify(rules[1])).toContain(`${cookie}; Max-Age=86400`);
    story.step();
    expect(story.rollout.status.sessionAffinityCookie).toBe(cookie);
    story.until('Succeeded');
    expect(story.rollout.status).toMatchObject({ previousSessionAffinityCookie: cookie });
    expect(story.rollout.status.sessionAffinityCookie ?? '').toBe('');
    expect(JSON.stringify(story.route('VirtualService'))).toContain(`${cookie}; Max-Age=-1`);
  });
});

describe('gatewayapi', () => {
  const base = { provider: 'gatewayapi:v1', service: { gatewayRefs } };

  it('is promoted by weights and a template [E11]', () => {
    const metrics = [{ name: 'error-rate', templateRef: { name: 'error-rate' }, thresholdRange: { max: 200 } }];
    const story = promoted(initialised({ ...base, analysis: { ...steps, metrics } }));
    expect(sharesOf(story)).toEqual([10, 20, 30, 40, 50, 0]);
  });

  it('is rolled back for errors [E12]', () => {
    const story = rolledBack(initialised({ ...base, analysis: steps, answer: answering({ rate: 50 }) }));
    expect(sharesOf(story)).toEqual([10, 0]);
  });

  it('measures by a plain threshold after a test [E13]', () => {
    const analysis = {
      iterations: 3,
      metrics: [{ name: 'latency', templateRef: { name: 'latency' }, threshold: 500 }],
      webhooks: [hook('pre-rollout', 'test')],
    };
    const story = promoted(initialised({ ...base, analysis, answer: answering() }));
    expect(hooksOf(story)).toEqual(['test']);
    expect(sharesOf(story)).toEqual([100, 0]);
  });

  it('tries users with a header [E14]', () => {
    const analysis = { iterations: 3, match: [{ headers: { 'x-canary': { exact: 'insider' } } }] };
    const story = initialised({ ...base, analysis });
    story.setImage('2');
    story.step(2);
    expect(JSON.stringify(story.route('HTTPRoute'))).toContain('"value":"insider"');
    promoted(story);
  });
});

describe('linkerd', () => {
  it('is promoted by weights, also beside a Canary whose names differ [E16]', () => {
    const story = promoted(initialised({ provider: 'linkerd', label: 'podinfo-service', analysis: steps }));
    const selectorOf = (name: string): unknown => at(story.world.objects.get(`Service/${name}`), 'spec', 'selector');
    expect(selectorOf('podinfo')).toEqual({ app: 'podinfo-service-primary' });
    expect(selectorOf('podinfo-canary')).toEqual({ app: 'podinfo-service' });
    promoted(initialised({ provider: 'linkerd', analysis: steps }));
  });

  it('is rolled back for errors [E17]', () => {
    rolledBack(initialised({ provider: 'linkerd', analysis: steps, answer: answering({ rate: 20 }) }));
  });

  it('is promoted by a list of steps [E18]', () => {
    const analysis = { stepWeights: [10, 20, 30, 40, 50, 60], maxWeight: 50 };
    const story = promoted(initialised({ provider: 'linkerd', analysis }));
    expect(sharesOf(story).at(-1)).toBe(0);
    expect(sharesOf(story).slice(0, 5)).toEqual([10, 20, 30, 40, 50]);
  });
});

describe('nginx', () => {
  const base: PodinfoOptions = { provider: 'nginx', canary: { ingressRef }, objects: [ingress] };

  it('is promoted by weights, and the canary Ingress stays as the webhook of nginx wants it [E19]', () => {
    const story = promoted(initialised({ ...base, analysis: { stepWeight: 20, maxWeight: 40 } }));
    expect(sharesOf(story)).toEqual([20, 40, 0]);
    expect(story.route('Ingress', 'podinfo-canary')?.metadata.annotations).toMatchObject({
      'nginx.ingress.kubernetes.io/canary': 'true',
      'nginx.ingress.kubernetes.io/canary-weight': '0',
    });
    expect(story.route('Ingress', 'podinfo')).toEqual(ingress);
  });

  it('tries users with a header once a test allows it [E20]', () => {
    const closed = new Set(['ready']);
    const analysis = {
      iterations: 2,
      match: [{ headers: { 'x-canary': { exact: 'insider' } } }],
      webhooks: [hook('rollout', 'ready')],
    };
    const story = initialised({ ...base, analysis, answer: answering({ closed }) });
    story.setImage('2');
    story.step(3);
    expect(story.rollout.status).toMatchObject({ phase: 'Progressing', failedChecks: 1 });
    closed.clear();
    promoted(story);
  });

  it('lives through a rollback, a revert, the same mistake and a retry [E21] [E22] [E23] [E24]', () => {
    let rate = 20;
    const story = rolledBack(
      initialised({ ...base, analysis: steps, answer: (question) => answering({ rate })(question) }),
    );
    const primary = story.world.deployment('podinfo-primary');
    const first = story.rollout.ticks.length;
    // Back to what the primary runs: nothing to do.
    story.setImage('1');
    story.step(3);
    expect(story.rollout.status.phase).toBe('Failed');
    expect(story.world.deployment('podinfo-primary')?.['spec']).toEqual(primary?.['spec']);
    expect(story.rollout.ticks.slice(first).flatMap(({ effects }) => effects)).toEqual([]);
    // The same mistake once more.
    story.setImage('2');
    story.step();
    expect(story.rollout.status.phase).toBe('Progressing');
    story.until('Failed');
    expect(story.image('podinfo-primary')).toBe('podinfo:1');
    // Once more, on purpose, and what was measured is repaired.
    rate = 100;
    const target = story.world.objects.get('Deployment/podinfo');
    if (target) {
      const spec = target['spec'] as { template: { metadata: object } };
      const metadata = { ...spec.template.metadata, annotations: { restarted: 'now' } };
      const object = { ...target, spec: { ...spec, template: { ...spec.template, metadata } } } as KubeObject;
      story.world.apply({ kind: 'write', object, over: target });
    }
    story.until('Succeeded');
    expect(story.image('podinfo-primary')).toBe('podinfo:2');
  });
});

describe('contour', () => {
  const base = { provider: 'contour' };

  it('is promoted by weights [E25]', () => {
    expect(sharesOf(promoted(initialised({ ...base, analysis: steps })))).toEqual([10, 20, 30, 40, 50, 0]);
  });

  it('is rolled back when it is slow [E26]', () => {
    const story = rolledBack(initialised({ ...base, analysis: steps, answer: answering({ durationMs: 1_000 }) }));
    expect(story.messages()).toContain('Rolling back podinfo.demo failed checks threshold reached 3');
  });

  it('tries users with a header [E27]', () => {
    const analysis = { iterations: 2, match: [{ headers: { 'x-canary': { exact: 'insider' } } }] };
    const story = initialised({ ...base, analysis });
    story.setImage('2');
    story.step(2);
    expect(JSON.stringify(story.route('HTTPProxy'))).toContain('insider');
    promoted(story);
  });
});

describe('traefik', () => {
  it('waits for its gate and its tests, and is promoted [E33]', () => {
    const closed = new Set(['gate', 'acceptance-test']);
    const story = podinfo({
      provider: 'traefik',
      service: { apex: { annotations: { test: 'annotation-test' }, labels: { test: 'label-test' } } },
      analysis: {
        ...steps,
        webhooks: [
          hook('confirm-rollout', 'gate'),
          hook('pre-rollout', 'acceptance-test'),
          hook('pre-rollout', 'other-test'),
        ],
      },
      answer: answering({ closed }),
    });
    story.step(3);
    // The first release is asked for, too, as with Flagger.
    closed.delete('gate');
    story.until('Initialized');
    expect(story.route('TraefikService')?.metadata).toMatchObject({
      annotations: { test: 'annotation-test' },
      labels: { test: 'label-test' },
    });
    closed.add('gate');
    story.setImage('2');
    story.until('Waiting');
    closed.delete('gate');
    story.step(3);
    expect(story.rollout.status).toMatchObject({ phase: 'Progressing', canaryWeight: 0 });
    closed.clear();
    promoted(story);
  });
});

describe('gloo', () => {
  const upstreamRef = { apiVersion: 'gloo.solo.io/v1', kind: 'Upstream', namespace: 'gloo-system', name: 'pattern' };
  const pattern = (choiceCount: number): KubeObject =>
    ({
      apiVersion: 'gloo.solo.io/v1',
      kind: 'Upstream',
      metadata: { name: 'pattern', namespace: 'gloo-system', labels: { team: 'web' } },
      spec: { loadBalancerConfig: { leastRequest: { choiceCount } }, static: { hosts: [] } },
    }) as KubeObject;
  const story = (options: PodinfoOptions = {}): Podinfo =>
    initialised({ provider: 'gloo', analysis: steps, answer: answering(), ...options });

  it('has an Upstream for each version, which follows the one that it is made by [E28] [E29] [E30]', () => {
    const gloo = story({ canary: { upstreamRef }, objects: [pattern(2)] });
    const name = 'demo-podinfo-canaryupstream-9898';
    expect(gloo.route('Upstream', name)).toMatchObject({
      metadata: { labels: { team: 'web' } },
      spec: {
        loadBalancerConfig: { leastRequest: { choiceCount: 2 } },
        kube: {
          serviceName: 'podinfo-canary',
          serviceNamespace: 'demo',
          servicePort: 9898,
          selector: { app: 'podinfo' },
        },
      },
    });
    gloo.place(pattern(5));
    gloo.step(2);
    expect(at(gloo.route('Upstream', name), 'spec', 'loadBalancerConfig')).toEqual({
      leastRequest: { choiceCount: 5 },
    });
    promoted(gloo);
    expect(sharesOf(gloo)).toEqual([10, 20, 30, 40, 50, 0]);
  });

  it('leads everybody else to the primary while some users try a version', () => {
    const match = [{ headers: { 'x-beta': { exact: '1' } } }];
    const gloo = story({ analysis: { iterations: 2, match } });
    gloo.setImage('2');
    gloo.until('Progressing');
    gloo.step(2);
    const [users, others] = listOf(at(gloo.route('RouteTable'), 'spec', 'routes'));
    expect(at(users, 'matchers')).toEqual([{ headers: [{ name: 'x-beta', value: '1' }] }]);
    expect(JSON.stringify(users)).toContain('"weight":100');
    expect(at(others, 'matchers')).toBeUndefined();
    expect(JSON.stringify(at(others, 'routeAction'))).toMatch(/primaryupstream[^}]*}},"weight":100}/);
    expect(JSON.stringify(at(others, 'routeAction'))).not.toMatch(/canaryupstream[^}]*}},"weight"/);
    expect(gloo.split()).toBe('0/100');
  });
});

describe('kuma', () => {
  const story = (options: PodinfoOptions = {}): Podinfo =>
    initialised({ provider: 'kuma', analysis: steps, answer: answering(), ...options });

  it('is promoted by weights of a TrafficRoute of the whole cluster [E31]', () => {
    const kuma = promoted(story());
    expect(sharesOf(kuma)).toEqual([10, 20, 30, 40, 50, 0]);
    expect(kuma.route('TrafficRoute')).toMatchObject({ mesh: 'default', metadata: { name: 'podinfo' } });
    expect(kuma.route('TrafficRoute')?.metadata.ownerReferences).toBeUndefined();
  });

  it('is rolled back when it is slow [E32]', () => {
    const metrics = [{ name: 'request-duration', thresholdRange: { max: 500 } }];
    rolledBack(story({ analysis: { ...steps, threshold: 2, metrics }, answer: answering({ durationMs: 900 }) }));
  });
});

describe('skipper', () => {
  it('is promoted by weights in an annotation of its own Ingress, which rests afterwards [E34]', () => {
    const skipper = initialised({
      provider: 'skipper',
      canary: { ingressRef },
      analysis: steps,
      objects: [ingress],
      answer: answering(),
    });
    const predicate = (): unknown =>
      at(skipper.route('Ingress', 'podinfo-canary'), 'metadata', 'annotations', 'zalando.org/skipper-predicate');
    expect(predicate()).toBe('Weight(100)');
    promoted(skipper);
    expect(sharesOf(skipper)).toEqual([10, 20, 30, 40, 50, 0]);
    expect(predicate()).toBe('False()');
    expect(skipper.route('Ingress', 'podinfo')).toEqual(ingress);
  });
});

describe('apisix', () => {
  it('is promoted by weights in a route above that of its users [E35]', () => {
    const routeRef = { apiVersion: 'apisix.apache.org/v2', kind: 'ApisixRoute', name: 'podinfo' };
    const users = {
      apiVersion: 'apisix.apache.org/v2',
      kind: 'ApisixRoute',
      metadata: { name: 'podinfo', namespace: 'demo' },
      spec: {
        http: [
          {
            name: 'all',
            match: { paths: ['/*'] },
            backends: [{ serviceName: 'podinfo', servicePort: 9898 }],
          },
        ],
      },
    } as KubeObject;
    const apisix = initialised({
      provider: 'apisix',
      canary: { routeRef },
      analysis: steps,
      objects: [users],
      answer: answering(),
    });
    promoted(apisix);
    expect(sharesOf(apisix)).toEqual([10, 20, 30, 40, 50, 0]);
    expect(apisix.route('ApisixRoute', 'podinfo')).toEqual(users);
    expect(apisix.route('ApisixRoute', 'podinfo-podinfo-canary')).toMatchObject({
      spec: { http: [{ priority: 10_000 }] },
    });
  });
});

describe('appmesh', () => {
  it.each(['appmesh', 'appmesh:v1beta1', 'appmesh:v1beta2'])(
    'has its nodes before pods of the primary are made, and leads users only when they answer: %s',
    (provider) => {
      const story = podinfo({ provider, service: { meshName: 'global' }, analysis: steps, answer: answering() });
      story.step();
      const kinds = story.rollout.ticks[0]?.effects.map((effect) =>
        effect.kind === 'write' ? `${effect.object.kind} ${effect.object.metadata.name}` : effect.kind,
      );
      expect(kinds?.indexOf('prepare-route')).toBeGreaterThanOrEqual(0);
      expect(kinds?.indexOf('prepare-route')).toBeLessThan(kinds?.indexOf('Deployment podinfo-primary') ?? 0);
      expect(story.route('VirtualNode', 'podinfo-primary')).toBeDefined();
      expect(story.route('VirtualService')).toBeUndefined();
      story.until('Initialized');
      expect(story.route('VirtualService')).toBeDefined();
      promoted(story);
      expect(sharesOf(story)).toEqual([10, 20, 30, 40, 50, 0]);
    },
  );

  it('is rolled back when it is slow', () => {
    const metrics = [{ name: 'request-duration', thresholdRange: { max: 500 } }];
    const analysis = { ...steps, threshold: 2, metrics };
    rolledBack(initialised({ provider: 'appmesh:v1beta2', analysis, answer: answering({ durationMs: 900 }) }));
  });
});
