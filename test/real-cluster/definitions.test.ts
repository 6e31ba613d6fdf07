import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { uniqueName } from '../contract/cluster-under-test.ts';
import { type Kubectl, kubectlAs } from './command.ts';
import { type Installation, install } from './installation.ts';

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

  it.each(['canaries', 'metrictemplates', 'alertproviders'])('are taken and served: %s', async (name) => {
    const path = '{range .status.conditions[*]}{.type}={.status} {end}';
    const conditions = await admin(['get', 'crd', `${name}.flagger.app`, '-o', `jsonpath=${path}`]);
    expect(conditions).toContain('Established=True');
    // Only schemas that are wrong have this one.
    expect(conditions).not.toContain('NonStructuralSchema=True');
  });

  it('explain Canaries to people', async () => {
    const analysis = await admin(['explain', 'canary.spec.analysis']);
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
    } finally {
      await admin(['delete', 'namespace', namespace, '--wait=false']);
    }
  });
});
