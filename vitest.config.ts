import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/real-cluster/**'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    pool: 'forks',
    maxWorkers: 4,
    teardownTimeout: 5_000,
    // Whole agents on a busy machine: what fails there once is tried once more, and shown as retried.
    retry: process.env['CI'] ? 1 : 0,
  },
});
