import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { errorCatalogue } from '../../src/lib/errors.ts';

const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

describe('the documents', () => {
  it('explain every error code that a log line may carry, and none that nothing raises', () => {
    const told = [...read('README.md').matchAll(/`((?:GIT|CLUSTER)_[A-Z_]+)`/g)].map(([, code]) => code);
    const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts') && !path.endsWith('errors.ts'))
      .map((path) => read(join('src', path)));
    const codes = Object.keys(errorCatalogue);
    expect(codes.filter((code) => !sources.some((text) => text.includes(`'${code}'`)))).toEqual([]);
    // Those of Git and the cluster stand in the log as they are; the others are told with file and line.
    const raised = codes.filter((code) => /^(?:GIT|CLUSTER)_/.test(code));
    expect(raised.length).toBeGreaterThan(5);
    expect(new Set(told)).toEqual(new Set(raised));
  });

  it('show the two commands that are all the set-up', () => {
    expect(read('README.md')).toContain('npm ci && npm run demo');
    expect(read('README.md')).toContain('npm ci && npm test');
  });

  it('name every dependency with its reason', () => {
    const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> };
    const told = read('src/README.md');
    expect(Object.keys(dependencies).filter((name) => !told.includes(`| ${name} |`))).toEqual([]);
  });

  it('promise no script that does not exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const told = new Set(
      [...`${read('README.md')}${read('src/README.md')}`.matchAll(/npm run ([a-z:]+)/g)].map(([, name]) => name),
    );
    expect([...told].filter((name) => name !== undefined && scripts[name] === undefined)).toEqual([]);
  });
});
