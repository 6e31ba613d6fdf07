import type { KubeObject } from '../manifest/types.ts';

/** Of the analysis; Flagger was measured so. */
export const intervalMs = 10_000;
/** Nobody else's scheduler takes the pods, should there be any. */
const schedulerName = 'serin-bench';

const appName = (index: number): string => `app-${String(index).padStart(4, '0')}`;
export const fleetNames = (count: number): readonly string[] => Array.from({ length: count }, (_, at) => appName(at));

/** A canary as Flagger was measured with: Traefik, steps of 10 % to 50 %, two metrics, one tracked ConfigMap. */
export function appObjects(namespace: string, name: string, version: number): readonly KubeObject[] {
  return [configOf(namespace, name), deploymentOf(namespace, name, version), canaryOf(namespace, name)];
}

export const imageOf = (version: number): string => `registry.example.test/app:${version}.0.0`;

function configOf(namespace: string, name: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace },
    data: { GREETING: `hello from ${name}`, LIMIT: '100' },
  };
}

function deploymentOf(namespace: string, name: string, version: number): KubeObject {
  const container = {
    name: 'app',
    image: imageOf(version),
    ports: [{ name: 'http', containerPort: 9898 }],
    envFrom: [{ configMapRef: { name } }],
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace, labels: { app: name } },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: { schedulerName, containers: [container] } },
    },
  };
}

function canaryOf(namespace: string, name: string): KubeObject {
  return {
    apiVersion: 'flagger.app/v1beta1',
    kind: 'Canary',
    metadata: { name, namespace },
    spec: {
      provider: 'traefik',
      progressDeadlineSeconds: 60,
      targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
      service: { port: 9898, targetPort: 'http' },
      analysis: {
        interval: `${intervalMs / 1_000}s`,
        threshold: 5,
        stepWeight: 10,
        maxWeight: 50,
        metrics: [
          { name: 'request-success-rate', interval: '1m', thresholdRange: { min: 99 } },
          { name: 'request-duration', interval: '1m', thresholdRange: { max: 500 } },
        ],
      },
    },
  };
}
