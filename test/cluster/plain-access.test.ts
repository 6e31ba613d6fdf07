import { writeFile } from 'node:fs/promises';
import type { RequestOptions } from 'node:https';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { plainAccess } from '../../src/cluster/plain-access.ts';
import { withTempDir } from '../helpers/temp-repo.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const kubeconfig = (user: object, cluster: object = {}, more: object = {}): string =>
  JSON.stringify({
    'current-context': 'one',
    contexts: [
      { name: 'one', context: { cluster: 'one', user: 'one' } },
      { name: 'two', context: { cluster: 'two', user: 'one' } },
    ],
    clusters: [
      { name: 'one', cluster: { server: 'https://one', ...cluster } },
      { name: 'two', cluster: { server: 'https://two' } },
    ],
    users: [{ name: 'one', user }],
    ...more,
  });
const optionsOf = async (text: string): Promise<RequestOptions> => {
  const options: RequestOptions = {};
  await plainAccess({ kind: 'text', text })?.applyToHTTPSOptions(options);
  return options;
};

describe('a kubeconfig with certificates or tokens', () => {
  it('is read without any library', async () => {
    const user = { 'client-certificate-data': base64('cert'), 'client-key-data': base64('key') };
    const text = kubeconfig(user, { 'certificate-authority-data': base64('ca'), 'tls-server-name': 'api' });
    expect(plainAccess({ kind: 'text', text })?.getCurrentCluster()).toEqual({
      server: 'https://one',
      tlsServerName: 'api',
    });
    const { ca, cert, key, headers } = await optionsOf(text);
    expect([ca, cert, key].map(String)).toEqual(['ca', 'cert', 'key']);
    expect(headers).toBeUndefined();
    expect((await optionsOf(kubeconfig({ token: 't0ken' }))).headers).toEqual({ Authorization: 'Bearer t0ken' });
  });

  it('finds files beside itself, reads them anew each time, and takes the context that is asked for', async () => {
    await withTempDir(async (dir) => {
      const path = join(dir, 'kubeconfig');
      await writeFile(path, kubeconfig({ tokenFile: 'token' }, { 'certificate-authority': 'ca.crt' }));
      await writeFile(join(dir, 'ca.crt'), 'the authority');
      const access = plainAccess({ kind: 'file', path });
      for (const token of ['first', 'second']) {
        await writeFile(join(dir, 'token'), `${token}\n`);
        const options: RequestOptions = {};
        await access?.applyToHTTPSOptions(options);
        expect(options.headers).toEqual({ Authorization: `Bearer ${token}` });
        expect(String(options.ca)).toBe('the authority');
      }
      expect(plainAccess({ kind: 'file', path, context: 'two' })?.getCurrentCluster()?.server).toBe('https://two');
    });
  });

  it.each([
    ['a plugin', kubeconfig({ exec: { command: 'aws' } })],
    ['an identity provider', kubeconfig({ 'auth-provider': { name: 'oidc' } })],
    ['a password', kubeconfig({ username: 'ada', password: 'lovelace' })],
    ['impersonation', kubeconfig({ token: 't', as: 'grace' })],
    ['a proxy', kubeconfig({ token: 't' }, { 'proxy-url': 'http://proxy' })],
    ['no current context', kubeconfig({ token: 't' }, {}, { 'current-context': '' })],
    [
      'two users of one name',
      kubeconfig(
        {},
        {},
        {
          users: [
            { name: 'one', user: {} },
            { name: 'one', user: {} },
          ],
        },
      ),
    ],
    ['no server', kubeconfig({ token: 't' }, { server: '' })],
    ['what is no YAML', '{'],
  ])('with %s is left to the library', (_, text) => {
    expect(plainAccess({ kind: 'text', text })).toBeUndefined();
  });

  it('is none where the environment has to be asked', () => {
    expect(plainAccess({ kind: 'files', paths: ['/a', '/b'] })).toBeUndefined();
    expect(plainAccess({ kind: 'in-cluster' })).toBeUndefined();
    expect(plainAccess({ kind: 'file', path: '/nowhere/kubeconfig' })).toBeUndefined();
  });

  it('is not needed in a pod', async () => {
    const access = plainAccess({ kind: 'service-account', server: 'https://10.0.0.1:443' });
    expect(access?.getCurrentCluster()).toEqual({ server: 'https://10.0.0.1:443' });
    await expect(access?.applyToHTTPSOptions({})).rejects.toThrow(
      '/var/run/secrets/kubernetes.io/serviceaccount/ca.crt',
    );
  });
});
