import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { errorCatalogue } from '../../src/lib/errors.ts';

const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

describe('the documents', () => {
  it('explain every error code, and none that does not exist', () => {
    const told = [...read('README.md').matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, code]) => code);
    expect(new Set(told)).toEqual(new Set(Object.keys(errorCatalogue)));
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
