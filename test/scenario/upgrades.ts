import { lines, readTrailers } from '../helpers/temp-repo.ts';
import { type StageRegistry, startStageRegistry } from './registry.ts';
import type { Stage, StageOptions } from './stage.ts';

export const withRegistry = async (work: (registry: StageRegistry) => Promise<void>): Promise<void> => {
  const registry = await startStageRegistry();
  try {
    await work(registry);
  } finally {
    await registry.stop();
  }
};

export const flagsFor = ({ registry }: StageRegistry): NonNullable<StageOptions['flags']> => ({
  'registry-plain-http': registry,
  'image-interval': '10s',
});

/** For one look at the registry and a whole release on a busy machine. */
export const slowly = 60_000;

interface Upgrade {
  readonly subject: string;
  readonly body: string;
  readonly trailers: Readonly<Record<string, string>>;
  readonly changed: readonly string[];
}

/** Commits that move images on, oldest first. */
export async function upgrades({ run }: Stage): Promise<readonly Upgrade[]> {
  const format = '--format=%x1e%s%x1f%b%x1f%(trailers:only,unfold)%x1f';
  const text = await run('log', '--reverse', '--grep=^Policy: ', '--no-renames', '--name-only', format, 'main');
  return text
    .split('\x1e')
    .slice(1)
    .map((record) => {
      const [subject = '', body = '', trailers = '', changed = ''] = record.split('\x1f');
      return { subject, body, trailers: readTrailers(trailers), changed: lines(changed) };
    });
}
