import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

/**
 * Names from Git, from the cluster and from servers may be `constructor` or `toString`, which plain indexing finds in every object. So a table
 * of our own is a Map, or it is asked with `own` or `Object.hasOwn`.
 */
const root = join(import.meta.dirname, '../../src');
const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) => /\.tsx?$/.test(file));
const table = /^(?:export )?const (\w+)[^=\n]*: *(?:Readonly<|Partial<)*Record<string,/gm;

const lookups = (text: string, name: string): readonly string[] =>
  [...text.matchAll(new RegExp(`\\b${name}\\[(?!['"\\d\`])[^\\]]*\\]|\\bin ${name}\\b`, 'g'))].map(([found]) => found);

describe('A table by name', () => {
  it('is never indexed by a name that somebody else chose', () => {
    const found: string[] = [];
    const tables: string[] = [];
    for (const file of files) {
      const text = readFileSync(join(root, file), 'utf8');
      for (const [, name = ''] of text.matchAll(table)) {
        tables.push(name);
        if (!file.startsWith('sandbox/')) found.push(...lookups(text, name).map((lookup) => `${file}: ${lookup}`));
      }
    }
    expect(tables.length).toBeGreaterThan(10);
    expect(found).toEqual([]);
  });

  it('would be found out', () => {
    expect(lookups('const a = kinds[group];', 'kinds')).toEqual(['kinds[group]']);
    expect(lookups('if (key in kinds) return;', 'kinds')).toEqual(['in kinds']);
    expect(lookups("own(kinds, group) ?? kinds['']", 'kinds')).toEqual([]);
  });
});
