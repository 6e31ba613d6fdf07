import { expect, test } from 'vitest';
import { eventually } from '../cluster-api.ts';
import type { Given } from '../cluster-under-test.ts';

const rbac = '/apis/rbac.authorization.k8s.io/v1';

/** Whose a token is, and what somebody may do: what the dashboard asks of a cluster. */
export function reviews(given: Given): void {
  const post = async (path: string, body: Readonly<Record<string, unknown>>) => given().api.call('POST', path, body);
  const reviewToken = async (token: string) => {
    const { status, body } = await post('/apis/authentication.k8s.io/v1/tokenreviews', {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      metadata: {},
      spec: { token },
    });
    expect(status).toBe(201);
    return body.status as {
      authenticated?: boolean;
      error?: string;
      user?: { username?: string; uid?: string; groups?: string[] };
    };
  };
  const mayDo = async (user: string, attributes: Readonly<Record<string, string>>, groups: readonly string[] = []) => {
    const { status, body } = await post('/apis/authorization.k8s.io/v1/subjectaccessreviews', {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      metadata: {},
      spec: {
        user,
        groups,
        resourceAttributes: { group: 'flagger.app', version: 'v1beta1', resource: 'canaries', ...attributes },
      },
    });
    expect(status).toBe(201);
    return body.status['allowed'];
  };
  const account = async (namespace: string, name: string) => {
    const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`;
    expect((await post(accounts, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name } })).status).toBe(201);
    const { status, body } = await post(`${accounts}/${name}/token`, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { expirationSeconds: 600 },
    });
    expect(status).toBe(201);
    return String(body.status['token']);
  };

  test('tell whose token it is, and of what is no token, or of an account that is gone, that it is nobody’s', async () => {
    await given().inNamespace(async (namespace) => {
      const token = await account(namespace, 'jane');
      const known = await reviewToken(token);
      expect(known.authenticated).toBe(true);
      expect(known.user?.username).toBe(`system:serviceaccount:${namespace}:jane`);
      expect(known.user?.groups).toEqual(
        expect.arrayContaining([
          'system:serviceaccounts',
          `system:serviceaccounts:${namespace}`,
          'system:authenticated',
        ]),
      );
      for (const wrong of ['nonsense', `${token.slice(0, -4)}AAAA`, 'a.b.c']) {
        const unknown = await reviewToken(wrong);
        expect(unknown.authenticated ?? false, wrong).toBe(false);
        expect(unknown.user?.username ?? '').toBe('');
      }
      await given().api.call('DELETE', `/api/v1/namespaces/${namespace}/serviceaccounts/jane`);
      await eventually(
        async () => (await reviewToken(token)).authenticated === true,
        (isKnown) => !isKnown,
        'the end of the token',
      );
    });
  });

  test('tell what roles grant, in the namespaces of their bindings and for these verbs and names only', async () => {
    await given().inNamespace(async (namespace) => {
      const user = `jane-${namespace}`;
      const group = `team-${namespace}`;
      const may = (verb: string, where: Readonly<Record<string, string>>, groups?: readonly string[]) =>
        mayDo(user, { verb, ...where }, groups);
      expect(await may('get', { namespace })).toBe(false);
      const role = (name: string, rules: readonly unknown[]) =>
        post(`${rbac}/namespaces/${namespace}/roles`, {
          apiVersion: 'rbac.authorization.k8s.io/v1',
          kind: 'Role',
          metadata: { name },
          rules,
        });
      const bind = (name: string, subjects: readonly unknown[]) =>
        post(`${rbac}/namespaces/${namespace}/rolebindings`, {
          apiVersion: 'rbac.authorization.k8s.io/v1',
          kind: 'RoleBinding',
          metadata: { name },
          subjects,
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
        });
      await role('see', [{ apiGroups: ['flagger.app'], resources: ['canaries'], verbs: ['get'] }]);
      await role('change', [{ apiGroups: ['*'], resources: ['*'], verbs: ['patch'], resourceNames: ['web'] }]);
      await bind('see', [{ kind: 'User', name: user, apiGroup: 'rbac.authorization.k8s.io' }]);
      await bind('change', [{ kind: 'Group', name: group, apiGroup: 'rbac.authorization.k8s.io' }]);
      await eventually(
        () => may('get', { namespace }),
        (value) => value === true,
        'the right to get',
      );
      await eventually(
        () => may('patch', { namespace, name: 'web' }, [group]),
        (value) => value === true,
        'the right to patch',
      );
      expect(await may('patch', { namespace, name: 'web' })).toBe(false);
      expect(await may('patch', { namespace, name: 'api' }, [group])).toBe(false);
      expect(await may('patch', { namespace }, [group])).toBe(false);
      expect(await may('delete', { namespace })).toBe(false);
      expect(await may('get', { namespace: 'default' })).toBe(false);
      // All namespaces.
      expect(await may('get', {})).toBe(false);
      expect(await may('get', { namespace, subresource: 'status' })).toBe(false);
      expect(await may('get', { namespace }, ['system:masters'])).toBe(true);
      expect(await may('delete', {}, ['system:masters'])).toBe(true);
    });
  });

  test('refuse to be asked of nobody', async () => {
    const { status } = await post('/apis/authorization.k8s.io/v1/subjectaccessreviews', {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      metadata: {},
      spec: { resourceAttributes: { verb: 'get', resource: 'pods' } },
    });
    expect([400, 422]).toContain(status);
  });
}
