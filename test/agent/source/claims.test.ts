import { describe, expect, it } from 'vitest';
import { createClaims } from '../../../src/agent/source/claims.ts';
import { identityOf } from '../../../src/manifest/identity.ts';
import type { Manifest } from '../../../src/manifest/types.ts';

const config = (name: string, path = `${name}.yaml`): Manifest => ({
  object: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'test' } },
  origin: { renderer: 'plain', path, line: 3, document: 0 },
});
const key = (name: string): string => identityOf(config(name).object);

function stage() {
  const woken: string[] = [];
  return { woken, claims: createClaims(['a', 'b', 'c'], (name) => woken.push(name)) };
}

describe('an object that two sources say', () => {
  it('is of the one that said it first, and refused to the other one by file and line', () => {
    const { claims } = stage();
    const own = [config('one')];
    expect(claims.take('b', own, 1).manifests).toBe(own);
    const { manifests, refused } = claims.take('a', [config('one', 'x/y.yaml'), config('two')], 1);
    expect(manifests).toEqual([config('two')]);
    expect(refused).toMatchObject([
      {
        severity: 'error',
        path: 'x/y.yaml',
        line: 3,
        message: 'ConfigMap test/one is not applied: the source b has it',
      },
    ]);
    expect(claims.ownerOf(key('one'))).toBe('b');
  });

  it('is of the one that applied it before the start, whoever is read first', () => {
    const { claims } = stage();
    claims.open('a', []);
    claims.open('b', [key('one')]);
    claims.open('c', [key('one')]);
    expect(claims.take('a', [config('one')], 1).manifests).toEqual([]);
    expect(claims.take('c', [config('one')], 1).refused).toHaveLength(1);
    expect(claims.take('b', [config('one')], 1).refused).toEqual([]);
  });

  it('is handed over once the first one has let it go, and nobody else is woken', () => {
    const { claims, woken } = stage();
    claims.take('a', [config('one'), config('two')], 1);
    claims.take('b', [config('one')], 1);
    expect(claims.isWantedElsewhere('a', key('one'))).toBe(true);
    expect(claims.isWantedElsewhere('a', key('two'))).toBe(false);
    claims.settle('a', [key('one')]);
    expect(woken).toEqual([]);
    claims.settle('a', []);
    expect(woken).toEqual(['b']);
    expect(claims.take('b', [config('one')], 2).refused).toEqual([]);
    expect(claims.take('a', [config('one')], 2).refused).toHaveLength(1);
  });

  it('is not wanted any more by one that takes it out of its own files', () => {
    const { claims } = stage();
    claims.take('a', [config('one')], 1);
    claims.take('b', [config('one')], 1);
    claims.take('b', [], 2);
    expect(claims.isWantedElsewhere('a', key('one'))).toBe(false);
  });
});

describe('what is gone from one source', () => {
  it('waits until all others were read since, because it may have moved there', () => {
    const { claims, woken } = stage();
    claims.take('b', [], 10);
    claims.take('c', [], 20);
    expect(claims.behind('a', 10)).toBeUndefined();
    expect(claims.behind('a', 15)).toBe('b');
    expect(woken).toEqual(['b']);
    claims.take('b', [], 16);
    expect(woken).toEqual(['b', 'a']);
    expect(claims.behind('a', 15)).toBeUndefined();
  });

  it('waits for one that was never read', () => {
    const { claims } = stage();
    claims.take('b', [], 10);
    expect(claims.behind('a', 1)).toBe('c');
  });
});
