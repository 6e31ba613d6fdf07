import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createReviews } from '../../src/agent/dashboard/reviews.ts';
import { type ClusterClient, openCluster } from '../../src/cluster/client.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/log.ts';
import { startSandbox } from '../../src/sandbox/sandbox.ts';
import { type ClusterApi, openApi } from '../contract/cluster-api.ts';
import { aBrowser, aDashboard, type Dashboard } from './a-dashboard.ts';

const rbac = 'rbac.authorization.k8s.io/v1';
const manager = 'test';

describe('Where the Kubernetes API says who may what', () => {
  const ending = new AbortController();
  let sandbox: Awaited<ReturnType<typeof startSandbox>>;
  let cluster: ClusterClient;
  let made: Dashboard;
  let api: ClusterApi;

  beforeAll(async () => {
    sandbox = await startSandbox({ podStartMs: 10 });
    const kubeconfig = join(mkdtempSync(join(tmpdir(), 'serin-ui-')), 'kubeconfig');
    writeFileSync(kubeconfig, sandbox.kubeconfig);
    api = openApi(kubeconfig);
    cluster = await openCluster({ kind: 'text', text: sandbox.kubeconfig }, { clock: systemClock, log: silentLogger });
    made = await aDashboard({ kubernetes: true }, createReviews(cluster, ending.signal));
    for (const namespace of ['shop', 'pay', 'people'])
      await cluster.create(
        { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
        { manager },
        ending.signal,
      );
  });
  afterAll(async () => {
    ending.abort();
    await made.server.close();
    await cluster.close();
    await api.close();
    await sandbox.stop();
  });

  /** A token of an account that has these verbs on Canaries, by namespace; `*` is all of them. */
  const tokenOf = async (name: string, verbs: Readonly<Record<string, readonly string[]>>): Promise<string> => {
    const create = (object: Parameters<ClusterClient['create']>[0]) =>
      cluster.create(object, { manager }, ending.signal);
    await create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { namespace: 'people', name } });
    for (const [namespace, granted] of Object.entries(verbs)) {
      const isAll = namespace === '*';
      const place = isAll ? {} : { namespace };
      const metadata = { ...place, name };
      const rules = [{ apiGroups: ['flagger.app'], resources: ['canaries'], verbs: granted }];
      await create({ apiVersion: rbac, kind: isAll ? 'ClusterRole' : 'Role', metadata, rules });
      await create({
        apiVersion: rbac,
        kind: isAll ? 'ClusterRoleBinding' : 'RoleBinding',
        metadata,
        subjects: [{ kind: 'ServiceAccount', namespace: 'people', name }],
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: isAll ? 'ClusterRole' : 'Role', name },
      });
    }
    const { body } = await api.call('POST', `/api/v1/namespaces/people/serviceaccounts/${name}/token`, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {},
    });
    return String(body.status['token']);
  };

  it('get is to see, patch is to operate, in the namespace of the role', async () => {
    const token = await tokenOf('jane', { shop: ['get', 'patch'], pay: ['get'] });
    const browser = aBrowser(made);
    expect((await browser.post('/sign-in', '/sign-in', { token })).status).toBe(303);
    const page = await browser.get('/');
    expect(page.body).toContain('system:serviceaccount:people:jane');
    expect((await browser.get('/apps/pay/api')).status).toBe(200);
    expect((await browser.post('/', '/apps/shop/web/acts/retry', {})).status).toBe(303);
    expect((await browser.post('/', '/apps/pay/api/acts/retry', {})).status).toBe(403);
    expect(made.acts).toEqual([{ kind: 'retry', by: 'system:serviceaccount:people:jane' }]);
    expect(made.lines.join('')).not.toContain(token);
  });

  it('patch alone shows nothing, and who has no role sees that he may see nothing', async () => {
    const blind = { authorization: `Bearer ${await tokenOf('blind', { shop: ['patch'] })}` };
    expect((await made.ask('/apps/shop/web', { headers: blind })).status).toBe(404);
    expect((await made.ask('/', { headers: blind })).status).toBe(403);
    const stranger = { authorization: `Bearer ${await tokenOf('stranger', {})}` };
    expect((await made.ask('/', { headers: stranger })).status).toBe(403);
  });

  it('a role for the whole cluster counts in each namespace', async () => {
    const chief = { authorization: `Bearer ${await tokenOf('chief', { '*': ['*'] })}` };
    expect((await made.ask('/apps/pay/api', { headers: chief })).status).toBe(200);
    const sent = await made.ask('/apps/pay/api/acts/retry', {
      method: 'POST',
      headers: { ...chief, 'content-type': 'application/x-www-form-urlencoded' },
      body: '',
    });
    expect(sent.status).toBe(303);
  });

  it('a token that nobody has, or not any more, signs nobody in', async () => {
    const token = await tokenOf('gone', { '*': ['get'] });
    await cluster.remove(
      { apiVersion: 'v1', kind: 'ServiceAccount', namespace: 'people', name: 'gone' },
      {},
      ending.signal,
    );
    for (const wrong of [token, `${token}x`, 'a.b.c', 'x y'])
      expect((await aBrowser(made).post('/sign-in', '/sign-in', { token: wrong })).status, wrong).toBe(401);
  });
});
