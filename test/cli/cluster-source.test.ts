import { mkdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { clusterSource } from '../../src/cli/cluster-source.ts';
import { withTempDir } from '../helpers/temp-repo.ts';

const flags = (kubeconfig = '', context = '') => ({ kubeconfig, context });
const inPod = { KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '443' };

describe('the cluster of serin run', () => {
  it('is the flag’s, then KUBECONFIG’s, then the one in the home folder, then the pod’s own', async () => {
    await withTempDir(async (home) => {
      const everything = { ...inPod, HOME: home, KUBECONFIG: '/env/config' };
      expect(clusterSource(flags('/flag/config', 'east'), everything)).toEqual({
        kind: 'file',
        path: '/flag/config',
        context: 'east',
      });
      expect(clusterSource(flags(), everything)).toEqual({ kind: 'file', path: '/env/config' });
      expect(clusterSource(flags(), { ...inPod, HOME: home })).toEqual({
        kind: 'service-account',
        server: 'https://10.0.0.1:443',
      });
      await mkdir(join(home, '.kube'));
      await writeFile(join(home, '.kube', 'config'), '');
      expect(clusterSource(flags(), { ...inPod, HOME: home })).toEqual({
        kind: 'file',
        path: join(home, '.kube', 'config'),
      });
    });
  });

  it('may be reached over IPv6', () => {
    const environment = { ...inPod, KUBERNETES_SERVICE_HOST: 'fd00::1' };
    expect(clusterSource(flags(), environment)).toEqual({ kind: 'service-account', server: 'https://[fd00::1]:443' });
  });

  it('is made of those files of KUBECONFIG that are there', async () => {
    await withTempDir(async (dir) => {
      const [one, other, missing] = ['one', 'other', 'missing'].map((name) => join(dir, name));
      await writeFile(one ?? '', '');
      await writeFile(other ?? '', '');
      const source = (...files: (string | undefined)[]) =>
        clusterSource(flags('', 'east'), { KUBECONFIG: files.join(delimiter) });
      expect(source(one, missing, other)).toEqual({ kind: 'files', paths: [one, other], context: 'east' });
      expect(source(missing, other)).toEqual({ kind: 'file', path: other, context: 'east' });
      expect(() => source(missing, '/neither')).toThrow(/none of the files in KUBECONFIG is there/);
    });
  });

  it('is the one of the context that is named, wherever the kubeconfig was found', async () => {
    await withTempDir(async (home) => {
      expect(clusterSource(flags('', 'east'), { KUBECONFIG: '/env/config' })).toMatchObject({ context: 'east' });
      await mkdir(join(home, '.kube'));
      await writeFile(join(home, '.kube', 'config'), '');
      expect(clusterSource(flags('', 'east'), { HOME: home })).toMatchObject({ context: 'east' });
      expect(() => clusterSource(flags('', 'east'), inPod)).toThrow(/--context east needs a kubeconfig/);
    });
  });

  it.each([{}, { HOME: '/nonexistent' }, { KUBECONFIG: '' }, { KUBERNETES_SERVICE_HOST: '10.0.0.1' }])(
    'is none with %j, which is told',
    (environment) => {
      expect(() => clusterSource(flags(), environment)).toThrow(
        /^no cluster: .*; name a kubeconfig with --kubeconfig$/,
      );
    },
  );
});
