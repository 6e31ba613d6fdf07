import type { KubeObject } from '../../src/manifest/types.ts';
import { targets } from '../../src/canary/targets/registry.ts';
import type { TargetKind } from '../../src/canary/types.ts';
import { describeTarget, type TargetCase } from '../conformance/describe-target.ts';

const pods = (image: string): object => ({
  metadata: { labels: { app: 'app' } },
  spec: { containers: [{ name: 'app', image }], nodeSelector: { disk: 'ssd' } },
});
const workload = (kind: string, image: string, more: object, status: object = {}): KubeObject => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { name: 'app', namespace: 'demo', generation: 1, labels: { app: 'app' } },
  spec: { selector: { matchLabels: { app: 'app' } }, template: pods(image), ...more },
  status: { observedGeneration: 1, ...status },
});
const service = (app: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'app', namespace: 'demo' },
  spec: { clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.1'], selector: { app }, ports: [{ port: 80, targetPort: 80 }] },
});
const knative = (revision: string): KubeObject => ({
  apiVersion: 'serving.knative.dev/v1',
  kind: 'Service',
  metadata: { name: 'app', namespace: 'demo' },
  spec: { template: {} },
  status: { latestCreatedRevisionName: revision },
});
const revision = (name: string, status: string): KubeObject => ({
  apiVersion: 'serving.knative.dev/v1',
  kind: 'Revision',
  metadata: { name, namespace: 'demo' },
  status: { conditions: [{ type: 'Ready', status }] },
});

const cases: Readonly<Record<TargetKind, TargetCase>> = {
  Deployment: {
    target: workload('Deployment', 'app:1', { replicas: 2 }),
    next: workload('Deployment', 'app:2', { replicas: 2 }),
    primaryOf: (written) => written,
    serving: workload(
      'Deployment',
      'app:1',
      { replicas: 1 },
      { replicas: 1, updatedReplicas: 1, availableReplicas: 1 },
    ),
    silent: workload('Deployment', 'app:1', { replicas: 0 }),
  },
  DaemonSet: {
    target: workload('DaemonSet', 'app:1', {}),
    next: workload('DaemonSet', 'app:2', {}),
    primaryOf: (written) => written,
    serving: workload(
      'DaemonSet',
      'app:1',
      {},
      { desiredNumberScheduled: 3, updatedNumberScheduled: 3, numberAvailable: 3 },
    ),
    silent: workload('DaemonSet', 'app:1', {}, { desiredNumberScheduled: 0 }),
  },
  Service: {
    target: service('v1'),
    next: service('v2'),
    // As the API server answers: with an address of its own.
    primaryOf: (written) => ({
      ...written,
      spec: { ...(written['spec'] as object), type: 'ClusterIP', clusterIP: '10.0.0.2', clusterIPs: ['10.0.0.2'] },
    }),
    serving: service('v1'),
    silent: undefined,
  },
  Knative: {
    target: knative('app-00001'),
    next: knative('app-00002'),
    primaryOf: ({ metadata }) => revision(metadata.annotations?.['flagger.app/primary-revision'] ?? '', 'True'),
    serving: revision('app-00001', 'True'),
    silent: revision('app-00001', 'Unknown'),
  },
};

for (const kind of Object.values(targets)) describeTarget(kind, cases[kind.kind]);
