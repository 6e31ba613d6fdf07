import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ClusterApi } from './cluster-api.ts';
import { openApi } from './cluster-api.ts';

/** What `open` tells of a cluster. */
export interface OpenedCluster {
  readonly kubeconfigPath: string;
  /** Images that run there: two good versions of one program on port 9898, answering /readyz. */
  readonly images: {
    readonly first: string;
    readonly second: string;
    readonly missing: string;
    readonly neverReady: string;
  };
  close(): Promise<void>;
}

export interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A cluster, ready for tests: the API on the wire, kubectl beside it, and names that nobody else uses. */
export interface ClusterUnderTest extends Omit<OpenedCluster, 'close'> {
  readonly api: ClusterApi;
  /** Runs kubectl with a private home and cache; `input` goes to its standard input. */
  readonly kubectl: (
    args: readonly string[],
    options?: { input?: string; env?: Record<string, string> },
  ) => Promise<Output>;
  /** Runs a test in a namespace of its own, which is deleted behind it. */
  inNamespace(test: (namespace: string) => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

/** Gives the cluster under test to each test; only there it is open. */
export type Given = () => ClusterUnderTest;

export const uniqueName = (prefix: string): string => `${prefix}-${randomBytes(4).toString('hex')}`;

export async function prepare(opened: OpenedCluster): Promise<ClusterUnderTest> {
  const api = openApi(opened.kubeconfigPath);
  const home = await mkdtemp(join(tmpdir(), 'contract-home-'));
  return {
    ...opened,
    api,
    kubectl: (args, { input, env = {} } = {}) =>
      run('kubectl', ['--cache-dir', join(home, 'cache'), ...args], input, {
        PATH: process.env.PATH ?? '',
        HOME: home,
        KUBECONFIG: opened.kubeconfigPath,
        ...env,
      }),
    inNamespace: async (test) => {
      const namespace = uniqueName('serin-contract');
      await api.call('POST', '/api/v1/namespaces', { metadata: { name: namespace } });
      try {
        await test(namespace);
      } finally {
        await api.call('DELETE', `/api/v1/namespaces/${namespace}`);
      }
    },
    close: async () => {
      await api.close();
      await opened.close();
      await rm(home, { recursive: true, force: true });
    },
  };
}

function run(
  file: string,
  args: readonly string[],
  input: string | undefined,
  env: Record<string, string>,
): Promise<Output> {
  return new Promise((resolve) => {
    const child = execFile(
      file,
      args,
      { env, maxBuffer: 16 * 1024 * 1024, timeout: 120_000 },
      (error, stdout, stderr) => {
        const code = error ? (typeof error.code === 'number' ? error.code : -1) : 0;
        resolve({ code, stdout, stderr });
      },
    );
    child.stdin?.end(input ?? '');
  });
}
