import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Small files that take long: begun last, they would leave all but one processor idle at the end. */
const long = ['/test/canary/model.test.ts', '/test/git/git-repo.test.ts', '/test/git/ssh/git-repo.test.ts'];

class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification): boolean => long.some((path) => moduleId.endsWith(path));
    const sorted = await super.sort(files);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

export default defineConfig({
  resolve: {
    alias: [{ find: './spawn.ts', replacement: fileURLToPath(new URL('test/starter/spawn.ts', import.meta.url)) }],
  },
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/real-cluster/**'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    pool: 'forks',
    // No module keeps state, so test files may share them: to load all anew for each takes a quarter of the time.
    isolate: false,
    // Most of a scenario is waiting: two processors are busy with four of them, and each more loads all modules once more.
    maxWorkers: 4,
    globalSetup: ['test/temporary-folder.ts', 'test/starter/set-up.ts'],
    sequence: { sequencer: LongFirst },
    teardownTimeout: 5_000,
    // Whole agents on a busy machine: what fails there once is tried once more, and shown as retried.
    retry: process.env['CI'] ? 1 : 0,
  },
});
