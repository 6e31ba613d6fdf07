import { defineConfig } from 'vitest/config';

/** The suite that needs a real cluster: the cluster contract and the agent end to end; and what asks a Prometheus, of which every such cluster has one. */
export default defineConfig({
  test: {
    include: [
      'test/contract/**/*.test.ts',
      'test/real-cluster/**/*.test.ts',
      'test/metrics/real-prometheus.test.ts',
      'test/sandbox/metrics/real-prometheus.test.ts',
    ],
    testTimeout: 300_000,
    hookTimeout: 120_000,
    pool: 'forks',
    maxWorkers: 1,
    fileParallelism: false,
    // Stories of the agent run side by side, each in a namespace of its own; more at once starve the proxy on a small machine.
    maxConcurrency: 4,
    env: { SERIN_TEST_TARGET: 'real' },
  },
});
