import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { keyOf, namespacedName, partsOf, readKey, shownKey } from '../../src/lib/key.ts';

const root = join(import.meta.dirname, '../../src');
/** The sandbox is an API server, with keys of its own. */
const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => /\.tsx?$/.test(path) && !path.startsWith('sandbox/') && path !== 'lib/key.ts');

/** A namespace and, behind a slash, what ends as a name: not what has a kind before it, as keys of objects. */
const made = /(?<!\})(?<!\}\/)\$\{[^{}()]*namespace[^{}()]*\}\/\$\{[^{}]*name[^{}]*\}/i;
/** What is called a key is cut at its slash. */
const cut = /\bkey\.(?:split|indexOf|lastIndexOf)\(|\.split\('\/'\)\s*\.(?:toReversed|reverse)\(\)\.join\('\.'\)/;
/** Keys of other things. */
const others: readonly RegExp[] = [/^manifest\/checks\//, /^canary\/configs\.ts/];

function handMade(text: string): readonly string[] {
  return text.split('\n').filter((line) => made.test(line) || cut.test(line));
}

describe('keys of apps', () => {
  it('are made, taken apart and shown in one place', () => {
    const found = files.flatMap((path) =>
      others.some((other) => other.test(path))
        ? []
        : handMade(readFileSync(join(root, path), 'utf8')).map((line) => `${path}: ${line.trim()}`),
    );
    expect(found).toEqual([]);
  });

  it('are found where they are made or cut by hand', () => {
    for (const line of [
      'const key = `${id.namespace}/${id.name}`;',
      "const place = `${metadata.namespace ?? ''}/${metadata.name}`;",
      'log.info(`promoted ${app.namespace}/${app.name}`);',
      "const shown = key.split('/').toReversed().join('.');",
      "const name = key.slice(key.indexOf('/') + 1);",
    ])
      expect(handMade(line), line).toHaveLength(1);
    for (const line of [
      'return `${groupOf(apiVersion)}/${kind}/${namespace}/${name}`;',
      "const folder = path.split('/');",
      'configs.get(`${namespace}/${kind.toLowerCase()}/${name}`)',
    ])
      expect(handMade(line), line).toEqual([]);
  });

  it('come back as what they were made from, and are read from others only where they are some', () => {
    const app = { namespace: 'test', name: 'a.b' };
    expect(partsOf(keyOf(app))).toEqual(app);
    expect(shownKey(keyOf(app))).toBe('a.b.test');
    expect(namespacedName({ name: 'node' })).toBe('/node');
    expect(readKey('test/a.b')).toBe(keyOf(app));
    for (const none of ['', '/', 'a', '/a', 'a/', 'a/b/c', '../a/b']) expect(readKey(none), none).toBeUndefined();
  });
});
