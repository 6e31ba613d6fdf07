import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { commitsWith, eventsOf, messageOf, phase } from './look.ts';
import { until } from './command.ts';
import { withMachinesNode } from './machine-pod.ts';
import { image, requestMetrics } from './podinfo-app.ts';
import { setStage, type Stage } from './stage.ts';
import { patienceMs } from './story.ts';
import { traefik } from './ways.ts';

const { env } = process;
/** Needs Traefik, Prometheus and the demo images, so it runs only where our own script has started the cluster. */
const kubeconfigPath = env.SERIN_TEST_INSIDE === '1' ? env.KUBECONFIG : undefined;
const why = kubeconfigPath === undefined ? ' (left out: not inside a cluster with Traefik and Prometheus)' : '';

const repository = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(repository, path), 'utf8');
/** The webhooks of the documents name it. */
const namespace = 'test';
const app = { namespace, host: 'app.example.com', way: traefik };

interface Seed {
  readonly name: string;
  readonly port: number;
  /** What the load goes through: Traefik, which measures it, or the canary's service itself. */
  readonly goesThroughTraefik: boolean;
}
const seeds: readonly Seed[] = [
  { name: '001-podinfo-traefik', port: 80, goesThroughTraefik: true },
  { name: '002-podinfo-nginx', port: 80, goesThroughTraefik: false },
  { name: '002-podinfo-linkerd', port: 9898, goesThroughTraefik: false },
];

interface CanaryObject {
  readonly spec: { readonly analysis: { readonly webhooks: readonly object[] } };
}

/** The document's webhooks, word for word, on a Canary that takes less time. */
function canaryOf({ name, port, goesThroughTraefik }: Seed): string {
  const { webhooks } = (parse(read(`fixtures/seeds/${name}/canary.yaml`)) as CanaryObject).spec.analysis;
  const { metrics } = parse(requestMetrics.replaceAll(/^ {4}/gm, '')) as { metrics: object[] };
  return stringify({
    apiVersion: 'flagger.app/v1beta1',
    kind: 'Canary',
    metadata: { name: 'podinfo', namespace },
    spec: {
      provider: 'traefik',
      metricsServer: 'http://prometheus.monitoring:9090',
      targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'podinfo' },
      progressDeadlineSeconds: 60,
      service: { port, targetPort: 9898 },
      analysis: {
        interval: '3s',
        threshold: 4,
        stepWeights: [20, 40, 60],
        ...(goesThroughTraefik ? { metrics } : {}),
        webhooks,
      },
    },
  });
}

/** What podinfo answers as far as the webhooks ask, with the version and the faults of the demo images. */
const podinfo = `
const { createServer } = require('node:http');
const { VERSION = '', FAIL_RATE = '0' } = process.env;
createServer((request, response) => {
  request.resume();
  response.setHeader('x-version', VERSION);
  if (request.url === '/readyz') return response.end('OK');
  if (Math.random() < Number(FAIL_RATE)) return response.writeHead(500).end('no');
  if (request.url === '/token' && request.method === 'POST') return response.end('{"token":"' + VERSION + '"}');
  response.end(VERSION);
}).listen(9898);
process.on('SIGTERM', () => process.exit());
`;

function deployment(): string {
  const { volumes, volumeMounts, command } = withMachinesNode(['-e', podinfo]);
  return stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'podinfo', namespace },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: 'podinfo' } },
      template: {
        metadata: { labels: { app: 'podinfo' } },
        spec: {
          volumes,
          containers: [
            {
              name: 'podinfod',
              image: image('3.1.0'),
              imagePullPolicy: 'IfNotPresent',
              command,
              volumeMounts,
              ports: [{ name: 'http', containerPort: 9898 }],
              readinessProbe: { httpGet: { path: '/readyz', port: 'http' }, periodSeconds: 1 },
            },
          ],
        },
      },
    },
  });
}

const ingressRoute = (port: number): string =>
  stringify({
    apiVersion: 'traefik.io/v1alpha1',
    kind: 'IngressRoute',
    metadata: { name: 'podinfo', namespace },
    spec: {
      entryPoints: ['web'],
      routes: [
        {
          kind: 'Rule',
          match: `Host(\`${app.host}\`)`,
          services: [{ kind: 'TraefikService', name: 'podinfo', port }],
        },
      ],
    },
  });

interface PodSpec {
  readonly volumes: readonly object[];
  readonly containers: readonly (Readonly<Record<string, unknown>> & { readonly volumeMounts: readonly object[] })[];
}
interface DeploymentObject {
  readonly spec: { readonly template: { readonly spec: PodSpec } };
}

/** manifests/loadtester as it is, but for where the program comes from. */
function loadtester(): string {
  const made = withMachinesNode(['/serin/dist/main.js']);
  const object = parse(read('manifests/loadtester/deployment.yaml')) as DeploymentObject;
  const { spec: pod } = object.spec.template;
  const containers = pod.containers.map((container) => ({
    ...container,
    image: 'registry.test:5000/busybox:1.35',
    command: made.command,
    volumeMounts: [...container.volumeMounts, ...made.volumeMounts],
  }));
  const template = {
    ...object.spec.template,
    spec: { ...pod, containers, volumes: [...pod.volumes, ...made.volumes] },
  };
  return stringify({ ...object, spec: { ...object.spec, template } });
}

describe.skipIf(kubeconfigPath === undefined)(`serin loadtester on a real cluster${why}`, () => {
  let stage: Stage;
  const metrics = async (): Promise<string> => (await fetch('http://flagger-loadtester.test/metrics')).text();
  const file = (name: string): string => `${namespace}/${name}.yaml`;

  beforeAll(async () => {
    stage = await setStage(kubeconfigPath ?? '');
    await stage.admin(['create', 'namespace', namespace]);
    const others = ['service-account', 'service', 'network-policy'].map((name) =>
      read(`manifests/loadtester/${name}.yaml`),
    );
    await stage.admin(['apply', '--namespace', namespace, '--filename=-'], {
      input: [...others, loadtester()].join('---\n'),
    });
    await stage.admin([
      '--namespace',
      namespace,
      'rollout',
      'status',
      'deployment/flagger-loadtester',
      '--timeout=60s',
    ]);
  });
  afterAll(async () => {
    if (!stage) return;
    await stage.admin(['delete', 'namespace', namespace, '--ignore-not-found', '--timeout=80s']);
    await stage.close();
  });
  afterEach(async ({ task }) => {
    if (task.result?.state !== 'fail') return;
    const log = await stage.admin(['--namespace', namespace, 'logs', 'deployment/flagger-loadtester']).catch(String);
    process.stderr.write(`--- the agent's log\n${stage.agent.log()}--- the load tester's\n${log}---\n`);
  });

  let version = '3.1.0';
  const release = async (seed: Seed, to: string): Promise<void> => {
    const before = (await stage.file(file('deployment')).catch(() => deployment())).replace(
      image('3.1.2'),
      image(version),
    );
    await stage.push(`release podinfo ${to}`, {
      [file('canary')]: canaryOf(seed),
      [file('route')]: ingressRoute(seed.port),
      [file('deployment')]: before.replace(image(version), image(to)),
    });
  };

  it.each(seeds)('runs the webhooks of $name as they are written, and the release is promoted', async (seed) => {
    const isFirst = seed === seeds[0];
    if (isFirst) {
      await release(seed, '3.1.0');
      await phase(stage, app, 'Initialized', patienceMs);
    } else {
      // The Canary of the next document, before anything is released under it.
      await release(seed, version);
      await until('the service has the port of the document', 30_000, async () => {
        const words = ['get', 'service', 'podinfo-primary', '--output=jsonpath={.spec.ports[0].port}'];
        return (await stage.admin(['--namespace', namespace, ...words])) === String(seed.port);
      });
    }
    const promotions = (await commitsWith(stage, app, 'promoted', 0)).length;
    const to = version === '3.1.0' ? '3.1.1' : '3.1.0';
    await release(seed, to);
    const [commit = ''] = await commitsSoon(promotions + 1);
    version = to;
    expect(await eventsOf(stage, namespace)).toContain('Pre-rollout check acceptance-test passed');
    // The first check orders the load, those after it tell what has been sent.
    expect(await messageOf(stage, commit)).toMatch(
      /load-test +check load-test passed \(\d+ requests, 0 failed, p99 [\d.]+ms\)/,
    );
    expect(await metrics()).toMatch(
      /serin_loadtester_requests_total\{name="podinfo",namespace="test",side="canary",code="200"\} \d+/,
    );
  });

  const commitsSoon = async (count: number): Promise<readonly string[]> => {
    await phase(stage, app, 'Progressing', patienceMs);
    await phase(stage, app, 'Succeeded', patienceMs);
    return commitsWith(stage, app, 'promoted', count);
  };

  it('keeps a version whose acceptance test fails from all users', async () => {
    const seed = seeds[0];
    if (!seed) return;
    await release({ ...seed, port: 9898 }, '3.1.2');
    await phase(stage, app, 'Failed', patienceMs);
    const [commit = ''] = await commitsWith(stage, app, 'rolled-back');
    expect(await messageOf(stage, commit)).toMatch(/^rollback test\/podinfo 3\.1\.2: .*acceptance-test/);
    const log = await stage.admin(['--namespace', namespace, 'logs', 'deployment/flagger-loadtester']);
    expect(log).toContain('command failed curl -sd');
  });
});
