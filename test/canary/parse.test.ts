import { describe, expect, it } from 'vitest';
import { parseCanary, warningsOf } from '../../src/canary/parse.ts';
import type { CanarySpec } from '../../src/canary/types.ts';
import { AgentError } from '../../src/lib/errors.ts';
import type { KubeObject } from '../../src/manifest/types.ts';

type Members = Readonly<Record<string, unknown>>;
const defaults = { provider: 'traefik', minIntervalMs: 10_000 };

function canary(spec: Members = {}, analysis: Members = {}): KubeObject {
  return {
    apiVersion: 'flagger.app/v1beta1',
    kind: 'Canary',
    metadata: { name: 'podinfo', namespace: 'test' },
    spec: {
      targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'podinfo' },
      service: { port: 80 },
      analysis: { interval: '30s', threshold: 5, stepWeight: 10, maxWeight: 50, ...analysis },
      ...spec,
    },
  };
}
const read = (spec?: Members, analysis?: Members): CanarySpec => parseCanary(canary(spec, analysis), defaults);

function findingsOf(spec?: Members, analysis?: Members): string[] {
  try {
    read(spec, analysis);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    const findings = error.details['findings'] as { field: string; message: string; hint?: string }[];
    return findings.map(({ field, message, hint }) => `${field}: ${message}${hint ? ` | ${hint}` : ''}`);
  }
  return [];
}

describe('a Canary', () => {
  it('gets the defaults that Flagger documents', () => {
    expect(read({}, { interval: undefined })).toMatchObject({
      provider: 'traefik',
      target: { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'test', name: 'podinfo' },
      service: { name: 'podinfo', port: 80, portName: 'http', targetPort: 80, portDiscovery: false, headless: false },
      analysis: {
        intervalMs: 60_000,
        threshold: 5,
        strategy: { kind: 'canary', steps: [10, 20, 30, 40, 50], maxWeight: 50 },
        primaryReadyThreshold: 100,
        canaryReadyThreshold: 100,
      },
      progressDeadlineSeconds: 600,
      skipAnalysis: false,
      suspend: false,
    });
  });

  it('has its interval raised to the shortest that is allowed, and its threshold to one', () => {
    const { analysis } = read({}, { interval: '1s', threshold: 0 });
    expect([analysis.intervalMs, analysis.threshold]).toEqual([10_000, 1]);
  });

  it('waits no longer than a timer can, which would run off at once otherwise, and for a webhook no longer than an hour', () => {
    const webhooks = [{ name: 'a', type: 'rollout', url: 'http://a.test', timeout: '9000h' }];
    const { analysis } = read({}, { interval: '9000h', webhooks });
    expect([analysis.intervalMs, analysis.webhooks[0]?.timeoutMs]).toEqual([2_147_483_647, 3_600_000]);
  });

  it.each<[Members, CanarySpec['analysis']['strategy']]>([
    [
      { stepWeight: 20, maxWeight: 50 },
      { kind: 'canary', steps: [20, 40, 60], maxWeight: 50 },
    ],
    [
      { stepWeight: 30, maxWeight: undefined },
      { kind: 'canary', steps: [30, 60, 90, 100], maxWeight: 100 },
    ],
    [
      { stepWeight: undefined, maxWeight: undefined, stepWeights: [1, 2, 10, 80] },
      { kind: 'canary', steps: [1, 2, 10, 80], maxWeight: 80 },
    ],
    [
      { stepWeight: 50, match: [{ headers: { x: { exact: '1' } } }] },
      { kind: 'canary', steps: [50], maxWeight: 50, match: [{ headers: { x: { exact: '1' } } }] },
    ],
    [
      { stepWeight: undefined, maxWeight: 50, stepWeights: [1, 200] },
      { kind: 'canary', steps: [1, 100], maxWeight: 100 },
    ],
    [
      { stepWeight: undefined, iterations: 5 },
      { kind: 'blue-green', iterations: 5 },
    ],
    [
      { stepWeight: undefined, iterations: 5, match: [{ headers: {} }] },
      { kind: 'ab-testing', iterations: 5, match: [{ headers: {} }] },
    ],
  ])('with %j has the strategy that Flagger gives it', (analysis, strategy) => {
    expect(read({}, analysis).analysis.strategy).toEqual(strategy);
  });

  it('is blue/green on the plain provider, ten rounds where it says none', () => {
    expect(read({ provider: 'kubernetes' }).analysis.strategy).toEqual({ kind: 'blue-green', iterations: 10 });
    const { strategy } = read({ provider: 'kubernetes' }, { stepWeight: undefined, iterations: 3 }).analysis;
    expect(strategy).toEqual({ kind: 'blue-green', iterations: 3 });
  });

  it('may give a threshold as a number: the least for the success rate, the most for everything else', () => {
    const metrics = [
      { name: 'request-success-rate', threshold: 99 },
      { name: 'request-duration', threshold: 500, interval: '30s' },
      { name: 'errors', query: 'q', thresholdRange: { max: 1 } },
      { name: 'rate', templateRef: { name: 'rate' }, templateVariables: { a: 'b' } },
    ];
    expect(read({}, { metrics }).analysis.metrics).toEqual([
      { name: 'request-success-rate', interval: '1m', range: { min: 99 } },
      { name: 'request-duration', interval: '30s', range: { max: 500 } },
      { name: 'errors', interval: '1m', range: { max: 1 }, query: 'q' },
      {
        name: 'rate',
        interval: '1m',
        range: { max: 0 },
        templateRef: { namespace: 'test', name: 'rate' },
        templateVariables: { a: 'b' },
      },
    ]);
  });

  it('may call its analysis canaryAnalysis', () => {
    const spec = { analysis: undefined, canaryAnalysis: { interval: '20s', threshold: 2, stepWeight: 50 } };
    expect(read(spec).analysis).toMatchObject({ intervalMs: 20_000, threshold: 2 });
  });

  it('without an analysis is released without one', () => {
    expect(read({ analysis: undefined }).skipAnalysis).toBe(true);
  });

  it("has webhooks with Flagger's defaults", () => {
    const webhooks = [
      { name: 'load', url: 'http://loadtester/', timeout: '5s', metadata: { cmd: 'hey' } },
      { name: 'gate', type: 'confirm-rollout', url: 'http://gate/', timeout: '' },
    ];
    expect(read({}, { webhooks }).analysis.webhooks).toMatchObject([
      { name: 'load', type: 'rollout', timeoutMs: 5_000, retries: 0, muteAlert: false, metadata: { cmd: 'hey' } },
      { name: 'gate', type: 'confirm-rollout', timeoutMs: 10_000 },
    ]);
  });

  it('takes a named target port, and zero for none', () => {
    expect(read({ service: { port: 80, targetPort: 'http' } }).service.targetPort).toBe('http');
    expect(read({ service: { port: 80, targetPort: 0 } }).service.targetPort).toBe(80);
  });

  it('is told everything that is wrong with it at once', () => {
    const spec = {
      targetRef: { kind: 'Deploymnt' },
      service: {},
      autoscalerRef: { kind: 'HorizontalPodScaler', name: 'a' },
    };
    const analysis = {
      interval: '30',
      stepWeight: 7.5,
      webhooks: [{ name: 'x', type: 'confirm-rolout', url: 'nowhere' }],
      metrics: [{ name: 'm', threshold: '1' }],
    };
    expect(findingsOf(spec, analysis)).toEqual([
      'spec.targetRef.kind: unknown value "Deploymnt" | did you mean "Deployment"?',
      'spec.targetRef.name: is required | name the Deployment that is to be released',
      'spec.autoscalerRef.kind: unknown value "HorizontalPodScaler" | did you mean "HorizontalPodAutoscaler"?',
      'spec.analysis.interval: "30" is no duration | write a number and a unit, such as 30s or 1m',
      'spec.analysis.stepWeight: must be a whole number, not 7.5',
      'spec.analysis: says no way to release | give it stepWeight, stepWeights or iterations',
      'spec.analysis.metrics[0].threshold: must be a number, not "1"',
      'spec.analysis.webhooks[0].url: is no http or https URL',
      'spec.analysis.webhooks[0].type: unknown value "confirm-rolout" | did you mean "confirm-rollout"?',
      'spec.service.port: is required | the port of the generated Services',
    ]);
  });

  it.each<[string, Members, Members, string]>([
    ['steps and iterations', {}, { iterations: 3 }, 'cannot be combined'],
    ['no steps at all', {}, { stepWeight: 0 }, 'says no way to release'],
    [
      'a range that nothing meets',
      {},
      { metrics: [{ name: 'm', thresholdRange: { min: 2, max: 1 } }] },
      'no value would pass',
    ],
    ['a name too long for a Service', { service: { port: 80, name: 'a'.repeat(60) } }, {}, 'too long'],
  ])('is refused with %s', (_what, spec, analysis, text) => {
    expect(findingsOf(spec, analysis).join()).toContain(text);
  });
});

describe('warnings', () => {
  it('tell what has no effect and what goes further than it says', () => {
    const object = canary(
      { servce: {} },
      { stepWeight: 20, stepweights: [], metrics: [{ name: 'request-success-rate', treshold: 99 }] },
    );
    expect(warningsOf(object).map(({ field, message }) => `${field}: ${message}`)).toEqual([
      'spec.servce: is no field of a Canary and has no effect',
      'spec.analysis.stepweights: is no field of a Canary and has no effect',
      'spec.analysis.metrics[0].treshold: is no field of a Canary and has no effect',
      'spec.analysis.maxWeight: steps of 20 go past maxWeight 50: the canary gets 60% before it is promoted',
      'spec.analysis.metrics[0]: has no threshold, which counts as 0: every value passes',
    ]);
  });

  it('are silent about a Canary that says what it means', () => {
    expect(
      warningsOf(canary({}, { metrics: [{ name: 'request-success-rate', thresholdRange: { min: 99 } }] })),
    ).toEqual([]);
  });
});
