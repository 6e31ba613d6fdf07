import { describe, expect, it } from 'vitest';
import { checkManifests } from '../../src/checks/check.ts';
import { appsOf } from '../../src/canary/app.ts';
import { parseManifests } from '../../src/manifest/parse.ts';

const settings = {
  provider: 'kubernetes',
  minIntervalMs: 10_000,
  defaultNamespace: 'default',
  selectorLabels: ['app'],
};
const app = (target: string, canary = ''): string => `apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: shop }
spec:
  ${target}
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { containers: [ { name: main, image: "x:1", ports: [ { containerPort: 80 } ] } ] }
---
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: { name: web, namespace: shop }
spec:
  targetRef: { apiVersion: apps/v1, kind: Deployment, name: web }
  ${canary}
  service: { port: 80 }
  analysis: { interval: 10s, threshold: 2, iterations: 3, metrics: [ { name: request-success-rate, thresholdRange: { min: 99 } } ] }
`;

function said(...words: Parameters<typeof app>): readonly string[] {
  const { manifests } = parseManifests('x.yaml', app(...words));
  const problems = checkManifests(manifests, appsOf(manifests, 'default'), settings, () => undefined);
  return problems.map(({ severity, message, hint }) => `${severity}: ${message}; ${hint ?? ''}`);
}

describe('a target that a Canary leads the users away from', () => {
  it('is told that no pods end where it asks for none, and how they do', () => {
    expect(said('replicas: 0')).toEqual([
      'warning: Deployment shop/web spec.replicas: 0 ends no pods, because users are on the primary, which keeps the number that it has; ' +
        'leave it out, or to give users none: kubectl -n shop scale deployment web-primary --replicas=0',
    ]);
  });

  it('is told that a pause keeps its releases waiting', () => {
    expect(said('paused: true')).toEqual([
      'warning: Deployment shop/web spec.paused: a new version gets no pods, so its release waits until this is gone; ' +
        'to let no version in, set suspend: true in the Canary',
    ]);
  });

  it.each([
    ['replicas: 1', ''],
    ['paused: false', ''],
    ['minReadySeconds: 0', ''],
    ['replicas: 0', 'autoscalerRef: { apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, name: web }'],
  ])('is told nothing where that is not so: %s %s', (target, canary) => {
    expect(said(target, canary)).toEqual([]);
  });
});

it('warns where users would be led to a primary that is gone once the Canary is', () => {
  expect(said('replicas: 1', 'provider: kuma')).toEqual([
    'warning: Canary shop/web spec.revertOnDeletion: is off: the TrafficRoute stays when anybody deletes this Canary otherwise than from Git, and leads to a primary that goes; ' +
      'write revertOnDeletion: true',
  ]);
  expect(said('replicas: 1', 'provider: kuma\n  revertOnDeletion: true')).toEqual([]);
});
