import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'vitest';
import { startSandbox } from '../../src/sandbox/sandbox.ts';
import { describeCluster } from './describe-cluster.ts';

// The suite's other target has a file of its own; a run against it leaves the sandbox out.
describe.skipIf(process.env.SERIN_TEST_TARGET === 'real')('contract', () => {
  describeCluster('the embedded cluster', async () => {
    const sandbox = await startSandbox({ podStartMs: 10 });
    const folder = await mkdtemp(join(tmpdir(), 'contract-'));
    const kubeconfigPath = join(folder, 'kubeconfig');
    await writeFile(kubeconfigPath, sandbox.kubeconfig);
    return {
      kubeconfigPath,
      images: {
        first: 'registry.test:5000/podinfo:3.1.0',
        second: 'registry.test:5000/podinfo:3.1.1',
        missing: 'registry.test:5000/podinfo:none',
        neverReady: 'registry.test:5000/podinfo:3.1.4',
      },
      close: async () => {
        await sandbox.stop();
        await rm(folder, { recursive: true, force: true });
      },
    };
  });
});
