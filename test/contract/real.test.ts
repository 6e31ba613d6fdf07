import { describe } from 'vitest';
import { describeCluster } from './describe-cluster.ts';

const { env } = process;

/** A bare KUBECONFIG may lead anywhere, so it counts only where our own script has started the cluster. */
function chosenKubeconfig(): string | undefined {
  if (env.SERIN_TEST_TARGET !== 'real') return undefined;
  return env.SERIN_TEST_KUBECONFIG ?? (env.SERIN_TEST_INSIDE === '1' ? env.KUBECONFIG : undefined);
}

const kubeconfigPath = chosenKubeconfig();
const images = env.SERIN_TEST_IMAGES ?? 'registry.test:5000/podinfo';

describe.skipIf(kubeconfigPath === undefined)('contract', () => {
  describeCluster('a real cluster', async () => ({
    kubeconfigPath: kubeconfigPath ?? '',
    images: {
      first: `${images}:3.1.0`,
      second: `${images}:3.1.1`,
      missing: `${images}:none`,
      neverReady: `${images}:3.1.4`,
    },
    close: async () => undefined,
  }));
});
