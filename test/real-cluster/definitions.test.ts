import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { uniqueName } from '../contract/cluster-under-test.ts';
import { startGitServer } from '../../src/sandbox/git-server.ts';
import { startAgentProcess } from './agent-process.ts';
import { type Kubectl, kubectlAs, until } from './command.ts';
import { agentKubeconfig, type Installation, install } from './installation.ts';

const { env } = process;
const kubeconfigPath = env.SERIN_TEST_INSIDE === '1' ? env.KUBECONFIG : undefined;
const why = kubeconfigPath === undefined ? ' (left out: not inside a cluster of our own)' : '';
const role = join(import.meta.dirname, '../../manifests/namespaced/role.yaml');

describe.skipIf(kubeconfigPath === undefined)(`manifests on a real API server${why}`, () => {
  let folder = '';
  let admin: Kubectl;
  let installation: Installation | undefined;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'serin-manifests-'));
    admin = kubectlAs(kubeconfigPath ?? '', folder);
    installation = await install(admin, kubeconfigPath ?? '', folder);
  });
  afterAll(async () => {
    await installation?.remove();
    await rm(folder, { recursive: true, force: true });
  });

  /** The agent runs there, applies what Git says, looks at a Canary, and is refused nothing. */
  async function worksIn(namespace: string, kubeconfig: string): Promise<void> {
    const path = join(folder, `${namespace}.kubeconfig`);
    await writeFile(path, kubeconfig, { mode: 0o600 });
    const git = await startGitServer({ root: join(folder, `${namespace}-git`) });
    const object = (apiVersion: string, kind: string, rest: object): string =>
      JSON.stringify({ apiVersion, kind, metadata: { name: 'app' }, ...rest });
    const files = {
      'config.json': object('v1', 'ConfigMap', { data: { from: 'git' } }),
      'canary.json': object('flagger.app/v1beta1', 'Canary', {
        spec: {
          targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
          service: { port: 80 },
          analysis: { interval: '10s', threshold: 1, iterations: 1 },
        },
      }),
    };
    await git.createRepo('config', { files });
    const agent = startAgentProcess(
      {
        kubeconfig: path,
        'git-url': git.repoUrl('config'),
        'git-dir': join(folder, `${namespace}-mirror`),
        namespace,
        'agent-namespace': namespace,
        'default-namespace': namespace,
        'min-interval': '1s',
        port: '0',
      },
      folder,
    );
    try {
      await until('what Git says stands in the namespace', 30_000, () =>
        admin(['-n', namespace, 'get', 'configmap', 'app', '-o', 'jsonpath={.data.from}']),
      );
      await until('the Canary is looked at', 30_000, async () => agent.log().includes('deployments.apps'));
    } finally {
      expect(await agent.stop()).toBe(0);
      await git.stop();
    }
    expect(agent.log()).not.toMatch(/forbidden/);
  }

  it.each(['canaries', 'metrictemplates', 'alertproviders'])('are taken and served: %s', async (name) => {
    const path = '{range .status.conditions[*]}{.type}={.status} {end}';
    const conditions = await admin(['get', 'crd', `${name}.flagger.app`, '-o', `jsonpath=${path}`]);
    expect(conditions).toContain('Established=True');
    // Only schemas that are wrong have this one.
    expect(conditions).not.toContain('NonStructuralSchema=True');
  });

  it('explain Canaries to people', async () => {
    // The server publishes what a new definition says a little later than it serves its objects.
    const analysis = await vi.waitFor(() => admin(['explain', 'canary.spec.analysis']), {
      timeout: 20_000,
      interval: 500,
    });
    expect(analysis).toMatch(/How a new version is judged/);
    expect(analysis).toMatch(/stepWeight\s+<integer>\s+Percent of the traffic that each passed check adds/);
    expect(await admin(['explain', 'canary.spec.analysis.inconclusive'])).toMatch(/noTraffic\s+<string>\s+enum: fail/);
  });

  it('refuse half a percent, and take a duration of hours [R1] [R90]', async () => {
    const canary = (analysis: object): string =>
      JSON.stringify({
        apiVersion: 'flagger.app/v1beta1',
        kind: 'Canary',
        metadata: { name: uniqueName('half'), namespace: 'default' },
        spec: {
          targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'half' },
          service: { port: 80 },
          analysis: { interval: '1h', threshold: 5, ...analysis },
        },
      });
    const dryRun = (analysis: object): Promise<string> =>
      admin(['create', '--dry-run=server', '-f', '-'], { input: canary(analysis) });
    await expect(dryRun({ stepWeight: 7.5 })).rejects.toThrow(/stepWeight in body must be of type integer/);
    expect(await dryRun({ stepWeight: 5 })).toContain('created');
  });

  it('let an agent of one namespace do all in it and nothing outside of it [R86]', async () => {
    const namespace = uniqueName('team');
    await admin(['create', 'namespace', namespace]);
    try {
      // As kustomize does it.
      const text = (await admin(['create', '--dry-run=client', '-o', 'yaml', '-f', role])).replaceAll(
        /namespace: default/g,
        `namespace: ${namespace}`,
      );
      await admin(['apply', '-f', '-'], { input: text });
      const may = async (where: string, right: string): Promise<boolean> => {
        const who = `--as=system:serviceaccount:${namespace}:serin`;
        const said = await admin(['auth', 'can-i', ...right.split(' '), '-n', where, who]).catch(() => 'no');
        return said.startsWith('yes');
      };
      for (const right of ['patch deployments.apps', 'create secrets', 'watch canaries.flagger.app']) {
        expect(await may(namespace, right), right).toBe(true);
        expect(await may('default', right), `${right} elsewhere`).toBe(false);
      }
      expect(await may(namespace, 'get namespaces')).toBe(false);
      expect(await may(namespace, 'create rolebindings.rbac.authorization.k8s.io')).toBe(false);

      await admin(['-n', namespace, 'create', 'serviceaccount', 'serin']);
      const token = await admin(['-n', namespace, 'create', 'token', 'serin', '--duration=1h']);
      await worksIn(namespace, await agentKubeconfig(kubeconfigPath ?? '', token.trim()));
    } finally {
      await admin(['delete', 'namespace', namespace, '--wait=false']);
    }
  });
});
