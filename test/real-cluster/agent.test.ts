import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { uniqueName } from '../contract/cluster-under-test.ts';
import { until } from './command.ts';
import type { AppOptions } from './podinfo-app.ts';
import { setStage, type Stage } from './stage.ts';
import { tellAbTest, tellBlueGreen, tellConfigByHand, tellWeighted } from './story.ts';
import { tellDownloads } from './downloads.ts';
import { tellTrouble } from './trouble.ts';
import { tellAffinity, tellMirror } from './users.ts';
import { contour, openWays, traefik, traefikGateway, type Way, ways } from './ways.ts';

const { env } = process;
/** Needs Traefik, Contour, Prometheus and the demo images, so it runs only where our own script has started the cluster. */
const kubeconfigPath = env.SERIN_TEST_INSIDE === '1' ? env.KUBECONFIG : undefined;
const why =
  kubeconfigPath === undefined ? ' (left out: not inside a cluster with Traefik, Contour and Prometheus)' : '';

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
  let proxies: { close(): Promise<void> } | undefined;
  const appWith = (way: Way): AppOptions => {
    const namespace = uniqueName('test');
    namespaces.push(namespace);
    return { namespace, host: `${namespace}.example.test`, way };
  };

  beforeAll(async () => {
    stage = await setStage(kubeconfigPath ?? '');
    proxies = await openWays(stage.admin);
  });
  afterAll(async () => {
    if (!stage) return;
    if (namespaces.length > 0)
      await stage.admin(['delete', 'namespace', ...namespaces, '--ignore-not-found', '--timeout=80s']);
    await proxies?.close();
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

  describe.each(ways)('with $title', { concurrent: true }, (way) => {
    it('keeps to its weights, loses no request of a promotion, and rolls a failing version back, in Git too', () =>
      tellWeighted(stage, appWith(way)));
    it('shows a new version to those under test only, by header and by cookie', () => tellAbTest(stage, appWith(way)));
    it('turns from blue to green', () => tellBlueGreen(stage, appWith(way)));
    if (way === traefik || way === contour)
      it('lets downloads from the canary end before its pods go', () => tellDownloads(stage, appWith(way)));
    if (way.canKeepUsers)
      it('keeps users with the version that they have met', () => tellAffinity(stage, appWith(way)));
    if (way.canMirror)
      it('gives a copy of each request to the canary, and no answer of it to users', () =>
        tellMirror(stage, appWith(way)));
    // Nothing of it depends on the proxy.
    if (way === traefik || way === traefikGateway)
      it('releases a changed ConfigMap, let in and let through by hand', () => tellConfigByHand(stage, appWith(way)));
  });

  it('was refused nothing, and found no fault with itself', () => {
    expect(stage.agent.log()).not.toMatch(/forbidden|"level":"error"/);
  });

  it('holds and says so while its metrics or the API server are away, goes on after that, and loses no request', () =>
    tellTrouble(stage, [appWith(traefik), appWith(traefikGateway)], env.CLUSTER_RUN ?? ''));

  it('ends cleanly when it is asked to, and leaves a sound history', async () => {
    expect(await stage.agent.stop()).toBe(0);
    expect(await stage.git('fsck', '--strict', '--no-dangling')).toBe('');
    expect(await stage.git('rev-list', '--min-parents=2', 'main')).toBe('');
  });
});
