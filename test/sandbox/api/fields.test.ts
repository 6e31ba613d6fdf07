import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compare, fieldSetOf } from '../../../src/sandbox/api/fields/compare.ts';
import type { FieldSet } from '../../../src/sandbox/api/fields/field-set.ts';
import {
  decodeSet,
  difference,
  encodeSet,
  intersection,
  isEmpty,
  union,
} from '../../../src/sandbox/api/fields/field-set.ts';
import { mergeApplied, withoutAbandoned } from '../../../src/sandbox/api/fields/merge.ts';
import { mergePatch } from '../../../src/sandbox/api/patch.ts';

const resolve = (schema: unknown) => schema as never;
const key = fc.constantFrom('a', 'b', 'c');
const { value } = fc.letrec((tie) => ({
  value: fc.oneof({ depthSize: 'small' }, fc.integer(), fc.array(fc.integer(), { maxLength: 2 }), tie('object')),
  object: fc.dictionary(key, tie('value'), { maxKeys: 3 }),
}));
const object = fc.dictionary(key, value, { maxKeys: 3 });
const setOf = (from: unknown): FieldSet => fieldSetOf(undefined, from, resolve);
const same = (a: FieldSet, b: FieldSet): void => {
  expect(encodeSet(a)).toEqual(encodeSet(b));
};

describe('field sets', () => {
  test('survive being written to managedFields and read back', () => {
    fc.assert(
      fc.property(object, (one) => {
        same(decodeSet(encodeSet(setOf(one))), setOf(one));
      }),
    );
  });

  test('obey the laws of sets', () => {
    fc.assert(
      fc.property(object, object, (one, two) => {
        const [a, b] = [setOf(one), setOf(two)];
        same(union(a, b), union(b, a));
        same(union(difference(a, b), intersection(a, b)), a);
        expect(isEmpty(intersection(difference(a, b), b))).toBe(true);
      }),
    );
  });
});

describe('applied configurations', () => {
  test('stand in the merged object as they were stated', () => {
    fc.assert(
      fc.property(object, object, (live, config) => {
        const merged = mergeApplied(undefined, live, config, resolve);
        expect(mergeApplied(undefined, merged, config, resolve)).toEqual(merged);
        const { modified, removed } = compare(undefined, config, merged, resolve);
        expect(isEmpty(modified)).toBe(true);
        expect(isEmpty(removed)).toBe(true);
      }),
    );
  });

  test('leave nothing behind when the only applier states nothing any more', () => {
    fc.assert(
      fc.property(object, (config) => {
        const left = withoutAbandoned(undefined, config, setOf(config), setOf({}), resolve);
        expect(left).toEqual({});
      }),
    );
  });
});

describe('merge patches', () => {
  test('are the identity when empty, and idempotent', () => {
    fc.assert(
      fc.property(object, object, (live, patch) => {
        expect(mergePatch(live, {})).toEqual(live);
        const once = mergePatch(live, patch);
        expect(mergePatch(once, patch)).toEqual(once);
      }),
    );
  });
});
