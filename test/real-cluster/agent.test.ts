import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { uniqueName } from '../contract/cluster-under-test.ts';
import { until } from './command.ts';
import type { AppOptions, Provider } from './podinfo-app.ts';
import { setStage, type Stage } from './stage.ts';
import { tellAbTest, tellBlueGreen, tellConfigByHand, tellWeighted } from './story.ts';
import { tellTrouble } from './trouble.ts';

const { env } = process;
/** Needs Traefik, Prometheus and the demo images, so it runs only where our own script has started the cluster. */
const kubeconfigPath = env.SERIN_TEST_INSIDE === '1' ? env.KUBECONFIG : undefined;
const why = kubeconfigPath === undefined ? ' (left out: not inside a cluster with Traefik and Prometheus)' : '';

/** Verb, then resource with its group. */
const notNeeded = [
  'get nodes',
  'delete nodes',
  'delete namespaces',
  'create pods',
  'create pods/exec',
  'create serviceaccounts/token',
  'impersonate serviceaccounts',
  'deletecollection deployments.apps',
  'delete customresourcedefinitions.apiextensions.k8s.io',
  'create clusterroles.rbac.authorization.k8s.io',
  'bind clusterroles.rbac.authorization.k8s.io',
  'escalate clusterroles.rbac.authorization.k8s.io',
  'create clusterrolebindings.rbac.authorization.k8s.io',
  'patch mutatingwebhookconfigurations.admissionregistration.k8s.io',
];

describe.skipIf(kubeconfigPath === undefined)(`the agent on a real cluster, as its service account${why}`, () => {
  let stage: Stage;
  const namespaces: string[] = [];
  const appWith = (provider: Provider): AppOptions => {
    const namespace = uniqueName('test');
    namespaces.push(namespace);
    return { namespace, host: `${namespace}.example.test`, provider };
  };

  beforeAll(async () => {
    stage = await setStage(kubeconfigPath ?? '');
  });
  afterAll(async () => {
    if (!stage) return;
    if (namespaces.length > 0)
      await stage.admin(['delete', 'namespace', ...namespaces, '--ignore-not-found', '--timeout=80s']);
    await stage.close();
  });
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') process.stderr.write(`--- the agent's log\n${stage.agent.log()}---\n`);
  });

  it('starts without any right but those of manifests/rbac.yaml and is healthy', async () => {
    const url = await stage.agent.url();
    const health = await until('the agent is healthy', 20_000, async () => {
      const answer = await fetch(`${url}/healthz`);
      return answer.ok && (await answer.text());
    });
    expect(health).toBe('OK');
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toContain('flagger_info');
  });

  it('may do nothing that it does not need', async () => {
    const forbidden = await Promise.all(notNeeded.map(async (right) => ((await stage.mayAgent(right)) ? [right] : [])));
    expect(forbidden.flat()).toEqual([]);
    // The same question about what it needs, so that the answers above mean something.
    expect(await stage.mayAgent('patch deployments.apps')).toBe(true);
    expect(await stage.mayAgent('get secrets')).toBe(true);
  });

  describe.each<[string, Provider]>([
    ["Traefik's own resources", 'traefik'],
    ['the Gateway API', 'gatewayapi:v1'],
  ])('with %s', { concurrent: true }, (_name, provider) => {
    it('keeps to its weights, loses no request of a promotion, and rolls a failing version back, in Git too', () =>
      tellWeighted(stage, appWith(provider)));
    it('shows a new version to those under test only', () => tellAbTest(stage, appWith(provider)));
    it('turns from blue to green', () => tellBlueGreen(stage, appWith(provider)));
    it('releases a changed ConfigMap, let in and let through by hand', () =>
      tellConfigByHand(stage, appWith(provider)));
  });

  it('was refused nothing, and found no fault with itself', () => {
    expect(stage.agent.log()).not.toMatch(/forbidden|"level":"error"/);
  });

  it('holds and says so while its metrics or the API server are away, goes on after that, and loses no request', () =>
    tellTrouble(stage, [appWith('traefik'), appWith('gatewayapi:v1')], env.CLUSTER_RUN ?? ''));

  it('ends cleanly when it is asked to, and leaves a sound history', async () => {
    expect(await stage.agent.stop()).toBe(0);
    expect(await stage.git('fsck', '--strict', '--no-dangling')).toBe('');
    expect(await stage.git('rev-list', '--min-parents=2', 'main')).toBe('');
  });
});
