import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { clusterSource } from '../../src/cli/run.ts';
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

  it('is the library’s to find where several files say it, or nothing does', () => {
    expect(clusterSource(flags(), { KUBECONFIG: '/a:/b' })).toEqual({ kind: 'default' });
    expect(clusterSource(flags(), {})).toEqual({ kind: 'default' });
  });
});
