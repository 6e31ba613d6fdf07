import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/manifest/types.ts';
import { initialised, type Podinfo, type PodinfoOptions } from './podinfo.ts';

const interval = '10s';
const threshold = 3;
const metrics = [{ name: 'request-success-rate', interval: '1m', thresholdRange: { min: 99 } }];
const match = [{ headers: { 'x-user': { exact: 'insider' } } }];
const ofInsiders = { interval, threshold, metrics, match, iterations: 9 };
const ofSomeInsiders = { interval, threshold, metrics, match, stepWeights: [20, 40, 60, 80] };

const ingressRef = { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', name: 'podinfo' };
const backend = { service: { name: 'podinfo', port: { number: 9898 } } };
const ingress = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { name: 'podinfo', namespace: 'demo' },
  spec: { rules: [{ host: 'podinfo.example.org', http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } }] },
} as KubeObject;
const entryRef = { apiVersion: 'traefik.io/v1alpha1', kind: 'IngressRoute', name: 'podinfo' };
const entry = {
  apiVersion: 'traefik.io/v1alpha1',
  kind: 'IngressRoute',
  metadata: { name: 'podinfo', namespace: 'demo' },
  spec: {
    routes: [{ match: 'PathPrefix(`/`)', kind: 'Rule', services: [{ name: 'podinfo', kind: 'TraefikService' }] }],
  },
} as KubeObject;
const gatewayRefs = [{ name: 'gateway', namespace: 'demo' }];

const providers: Readonly<Record<string, PodinfoOptions>> = {
  istio: {},
  contour: {},
  nginx: { canary: { ingressRef }, objects: [ingress] },
  traefik: { canary: { ingressRef: entryRef }, objects: [entry] },
  'gatewayapi:v1': { service: { gatewayRefs } },
  'gatewayapi:v1beta1': { service: { gatewayRefs } },
};

function underTest(provider: string, analysis: object): Podinfo {
  const story = initialised({ ...providers[provider], provider, analysis: { ...analysis } });
  story.setImage('2');
  story.step(2);
  expect(story.rollout.status.phase).toBe('Progressing');
  return story;
}

/** The canary's share of all users, and never more than `most`. */
function sharesOf(story: Podinfo, ticks: number): number[] {
  return Array.from({ length: ticks }, () => {
    story.step();
    return Number(story.split().replace(/.*\//, ''));
  });
}

describe.each(Object.keys(providers))(
  'an analysis by %s that is edited while only insiders meet the canary',
  (provider) => {
    it('brings nobody else there when it becomes one with steps', () => {
      const story = underTest(provider, ofInsiders);
      expect(story.split()).toBe('0/100');
      story.change({ analysis: { interval, threshold, metrics, stepWeights: [5, 50] } });
      expect(sharesOf(story, 2)).toEqual([5, 50]);
      story.until('Succeeded');
      expect(story.split()).toBe('100/0');
    });

    it('brings nobody else there when it becomes blue/green', () => {
      const story = underTest(provider, ofInsiders);
      story.change({ analysis: { interval, threshold, metrics, iterations: 9 } });
      expect(sharesOf(story, 3)).toEqual([0, 0, 0]);
      story.until('Succeeded');
      expect(story.split()).toBe('100/0');
    });

    it.skipIf(provider === 'nginx')('begins its steps again when they are for everybody from now on', () => {
      const story = underTest(provider, ofSomeInsiders);
      expect(story.split()).toBe('80/20');
      story.change({ analysis: { interval, threshold, metrics, stepWeights: [5, 50] } });
      expect(sharesOf(story, 2)).toEqual([5, 50]);
      story.until('Succeeded');
    });

    it('takes users home who are no insiders when it becomes an A/B test', () => {
      const story = underTest(provider, { interval, threshold, metrics, stepWeights: [30, 40, 50, 60] });
      story.change({ analysis: ofInsiders });
      story.step(2);
      expect(story.split()).toBe('0/100');
      // As somebody sees it who is no insider.
      story.change({ analysis: { interval, threshold, metrics, iterations: 9 } });
      expect(story.split()).toBe('100/0');
    });
  },
);
