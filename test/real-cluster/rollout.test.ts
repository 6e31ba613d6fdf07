import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { migrate } from '../../src/migrate/migrate.ts';
import { uniqueName } from '../contract/cluster-under-test.ts';
import { joined } from '../migrate/a-rollout.ts';
import { until } from './command.ts';
import { doorOf, failedOf, startLoad } from './load.ts';
import { image } from './podinfo-app.ts';
import { setStage, type Stage } from './stage.ts';
import { patienceMs } from './story.ts';

const { env } = process;
/** Needs pods and the demo images, so it runs only where our own script has started the cluster. */
const kubeconfigPath = env.SERIN_TEST_INSIDE === '1' ? env.KUBECONFIG : undefined;
const why = kubeconfigPath === undefined ? ' (left out: not inside a cluster with pods)' : '';
const hash = 'rollouts-pod-template-hash';

const podSpec = {
  terminationGracePeriodSeconds: 20,
  containers: [
    {
      name: 'shop',
      image: image('3.1.0'),
      imagePullPolicy: 'IfNotPresent',
      ports: [{ name: 'http', containerPort: 9898 }],
      readinessProbe: { httpGet: { path: '/readyz', port: 'http' }, periodSeconds: 1 },
      lifecycle: { preStop: { sleep: { seconds: 8 } } },
    },
  ],
};
const common = {
  replicas: 2,
  selector: { matchLabels: { app: 'shop' } },
  template: { metadata: { labels: { app: 'shop' } }, spec: podSpec },
};

describe.skipIf(kubeconfigPath === undefined)(`a Rollout that is handed over on a real cluster${why}`, () => {
  let stage: Stage;
  const namespace = uniqueName('test');
  const phase = (): Promise<string> =>
    stage.admin(['--namespace', namespace, 'get', 'canary', 'shop', '--output=jsonpath={.status.phase}']);
  const selector = async (): Promise<unknown> =>
    JSON.parse(
      await stage.admin(['--namespace', namespace, 'get', 'service', 'shop', '--output=jsonpath={.spec.selector}']),
    );
  const apply = (...objects: readonly object[]): Promise<string> =>
    stage.admin(['apply', '--filename=-'], { input: joined(...objects.map((object) => stringify(object))) });

  beforeAll(async () => {
    stage = await setStage(kubeconfigPath ?? '');
  });
  afterAll(async () => {
    if (!stage) return;
    await stage.admin(['delete', 'namespace', namespace, '--ignore-not-found', '--timeout=80s']);
    await stage.close();
  });
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') process.stderr.write(`--- the agent's log\n${stage.agent.log()}---\n`);
  });

  it('loses no user from the Rollout’s pods to the primary, nor in the release that follows', async () => {
    const service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'shop', namespace },
      spec: { selector: { app: 'shop' }, ports: [{ name: 'http', port: 80, targetPort: 'http' }] },
    };
    // As Argo Rollouts leaves it: pods of a ReplicaSet of its own, and a Service that leads to these alone.
    const labels = { app: 'shop', [hash]: 'abc' };
    await apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
    await apply(service, {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: {
        name: 'shop-abc',
        namespace,
        // Otherwise the Deployment would take it for its own.
        ownerReferences: [
          {
            apiVersion: 'argoproj.io/v1alpha1',
            kind: 'Rollout',
            name: 'shop',
            uid: await uidOf(stage, namespace),
            controller: true,
          },
        ],
      },
      spec: { ...common, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: podSpec } },
    });
    const patch = JSON.stringify({ spec: { selector: { [hash]: 'abc' } } });
    const manager = '--field-manager=rollouts-controller';
    await stage.admin([
      '--namespace',
      namespace,
      'patch',
      'service',
      'shop',
      '--type=merge',
      manager,
      '--patch',
      patch,
    ]);
    const door = await doorOf(`http://shop.${namespace}/`, 'shop');
    const ready = ['get', 'rs', 'shop-abc', '--output=jsonpath={.status.readyReplicas}'];
    await until(
      'the Rollout’s pods are ready',
      patienceMs,
      async () => (await stage.admin(['--namespace', namespace, ...ready])) === '2',
    );
    await until('users are served', 30_000, async () => (await fetch(`http://shop.${namespace}/`)).ok);
    const load = startLoad(door, [{}], false);
    try {
      const rollout = {
        apiVersion: 'argoproj.io/v1alpha1',
        kind: 'Rollout',
        metadata: { name: 'shop', namespace },
        spec: {
          ...common,
          strategy: { canary: { stableService: 'shop', steps: [{ setWeight: 50 }, { pause: { duration: 3 } }] } },
        },
      };
      const texts = { 'rollout.yaml': stringify(rollout), 'service.yaml': stringify(service) };
      const { files } = migrate(new Map(Object.entries(texts)));
      const after = Object.fromEntries(files.map(({ path, after: text = '' }) => [path, text]));
      const under = (all: Readonly<Record<string, string>>) =>
        Object.fromEntries(Object.entries(all).map(([path, text]) => [`${namespace}/${path}`, text]));
      await stage.push('hand over', under({ ...texts, ...after }));
      await until('the Canary is initialized', patienceMs, async () => (await phase()) === 'Initialized');
      expect(await selector()).toEqual({ app: 'shop-primary' });
      await stage.admin(['--namespace', namespace, 'delete', 'rs', 'shop-abc', '--timeout=60s']);

      const text = await stage.file(`${namespace}/rollout.yaml`);
      await stage.push('release', under({ 'rollout.yaml': text.replace(image('3.1.0'), image('3.1.1')) }));
      await until('it is promoted', patienceMs, async () => (await phase()) === 'Succeeded');
      await until('users meet it', 30_000, () => Promise.resolve(load.answers.at(-1)?.version === '3.1.1'));
    } finally {
      await load.stop();
    }
    expect(failedOf(load.answers)).toEqual([]);
    expect(load.answers.length).toBeGreaterThan(100);
  });
});

/** Of something that is there: an owner that is not is cleaned up after, with all that it owns. */
const uidOf = (stage: Stage, namespace: string): Promise<string> =>
  stage.admin(['get', 'namespace', namespace, '--output=jsonpath={.metadata.uid}']);
