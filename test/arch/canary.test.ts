import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../../src');
const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => /\.tsx?$/.test(path) && !/^(?:sandbox|bench|cli)\//.test(path))
  .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
const code = (text: string): string => text.replaceAll(/\/\*[^]*?\*\/|\/\/.*/g, '');

/** Files that match `from` and import one that matches `what`. */
function importing(from: RegExp, what: RegExp): readonly string[] {
  return files
    .filter(({ path }) => from.test(path))
    .flatMap(({ path, text }) =>
      [...text.matchAll(/from '(\.[^']+)'/g)]
        .map(([, name = '']) => posix.normalize(posix.join(posix.dirname(path), name)))
        .filter((target) => what.test(target))
        .map((target) => `${path} imports ${target}`),
    );
}

const saying = (word: RegExp): readonly string[] =>
  files
    .filter(({ text }) => word.test(code(text)))
    .map(({ path }) => path)
    .toSorted();

describe('what a canary is', () => {
  it('is no matter of sync, which asks for its footprint, what it shares and how it hands back', () => {
    expect(importing(/^sync\//, /^canary\/(?:phases|targets|scalers)\//)).toEqual([]);
    expect(importing(/^sync\//, /^canary\/(?:decide|course|intents|tick-memory)\.ts/)).toEqual([]);
  });

  it('is no matter of its kinds of targets and autoscalers, which know no phase', () => {
    expect(importing(/^canary\/(?:targets|scalers)\//, /^canary\/(?:phases\/|decide|course|intents)/)).toEqual([]);
  });

  it('is read by a folder that others reach through its face, and that knows nothing of what is decided', () => {
    expect(importing(/^(?!canary\/)/, /^canary\/parse\//)).toEqual([]);
    expect(importing(/^canary\/parse\//, /^canary\/(?:phases\/|decide|course|intents|parse\.ts)/)).toEqual([]);
  });

  it('is decided by phases that nobody but the course of a tick calls', () => {
    expect(importing(/^(?!canary\/)/, /^canary\/phases\//)).toEqual([]);
    expect(importing(/^canary\/(?!phases\/|course|decide)/, /^canary\/phases\//)).toEqual([]);
  });

  it('has its effects laid out in one place: no phase takes back what another has decided', () => {
    const touching = files
      .filter(
        ({ path, text }) =>
          path !== 'canary/intents.ts' && /\bintents\b[^\n]*\.(?:splice|push|filter)\(/.test(code(text)),
      )
      .map(({ path }) => path);
    expect(touching).toEqual([]);
  });

  it('names what it makes in one file, outside its own folder', () => {
    const literal = /-primary[`'"$]/;
    expect(saying(literal).filter((path) => !path.startsWith('canary/'))).toEqual([
      // These may not import it.
      'loadtester/commands.ts',
      'manifest/checks/references.ts',
      'migrate/rollout.ts',
      'migrate/selected.ts',
      'outlets/canary-series.ts',
    ]);
  });

  it('leaves Knative to its target, its router and its metrics', () => {
    expect(saying(/knative/i).filter((path) => !path.startsWith('canary/'))).toEqual([
      'images/places.ts',
      'manifest/checks/foreign-kinds.ts',
      'metrics/proxies.ts',
      'routers/knative.ts',
      'routers/registry.ts',
    ]);
  });
});
