import { describe, expect, it } from 'vitest';
import { parseCanary } from '../../src/canary/parse.ts';
import type { CanarySpec } from '../../src/canary/types.ts';

const knative = { apiVersion: 'serving.knative.dev/v1', kind: 'Service', name: 'app' };
const parse = (spec: object): CanarySpec =>
  parseCanary(
    {
      apiVersion: 'flagger.app/v1beta1',
      kind: 'Canary',
      metadata: { name: 'app', namespace: 'demo' },
      spec: { service: { port: 80 }, analysis: { stepWeight: 10 }, ...spec },
    },
    { provider: 'istio', minIntervalMs: 1 },
  );

describe('the target of a Canary', () => {
  it.each([
    ['Deployment', { kind: 'Deployment', apiVersion: 'apps/v1' }, 'apps/v1/Deployment'],
    ['Deployment', { kind: 'Deployment', apiVersion: 'extensions/v1beta1' }, 'apps/v1/Deployment'],
    ['DaemonSet', { kind: 'DaemonSet', apiVersion: 'apps/v1' }, 'apps/v1/DaemonSet'],
    ['Service', { kind: 'Service', apiVersion: 'core/v1' }, 'v1/Service'],
    ['Service', { kind: 'Service' }, 'v1/Service'],
  ])('is a %s: %j', (targetKind, ref, spoken) => {
    const spec = parse({ targetRef: { name: 'app', ...ref } });
    expect(spec.targetKind).toBe(targetKind);
    expect(`${spec.target.apiVersion}/${spec.target.kind}`).toBe(spoken);
  });

  it('is no Deployment by default when its kind is something else', () => {
    expect(() => parse({ targetRef: { kind: 'StatefulSet', name: 'app' } })).toThrow(
      'spec.targetRef.kind: unknown value "StatefulSet"',
    );
  });

  it('is not a Deployment with the provider knative [CV06]', () => {
    const targetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' };
    expect(() => parse({ provider: 'knative', targetRef })).toThrow(
      "can't use apps/v1/Deployment as target if provider is set to knative",
    );
  });

  it('is not a Knative Service with another provider [CV07]', () => {
    expect(() => parse({ provider: 'istio', targetRef: knative })).toThrow(
      "can't use istio provider with Knative Service as target",
    );
    expect(() => parse({ targetRef: knative })).toThrow("can't use istio provider with Knative Service as target");
  });

  it('is not a Knative Service with an autoscaler [CV08]', () => {
    const autoscalerRef = { apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler', name: 'app' };
    expect(() => parse({ provider: 'knative', targetRef: knative, autoscalerRef })).toThrow(
      "can't use autoscaler with Knative Service",
    );
  });

  it('is a Knative Service with its provider, and needs no service then [CV09]', () => {
    const spec = parse({ provider: 'knative', targetRef: knative, service: undefined });
    expect(spec).toMatchObject({ targetKind: 'Knative', target: { ...knative, namespace: 'demo' } });
  });

  it('gives a Service its name for the copies, and needs something that divides traffic', () => {
    const targetRef = { apiVersion: 'v1', kind: 'Service', name: 'app' };
    expect(() => parse({ targetRef, service: { port: 80, name: 'other' } })).toThrow(
      'spec.service.name: must be the name of the Service that is released (write app, or leave it out)',
    );
    expect(() => parse({ provider: 'kubernetes', targetRef })).toThrow(
      'spec.provider: kubernetes cannot divide the traffic of a Service that is released itself',
    );
  });
});
