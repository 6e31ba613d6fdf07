import { expect, it } from 'vitest';
import { perObject, perText } from '../../src/lib/memo.ts';

it('computes once for each object, also where nothing comes of it', () => {
  const computed: number[] = [];
  const half = perObject(({ size }: { readonly size: number }) => {
    computed.push(size);
    return size % 2 === 0 ? size / 2 : undefined;
  });
  const [even, odd, other] = [{ size: 4 }, { size: 3 }, { size: 4 }];
  expect([even, odd, other, even, odd].map(half)).toEqual([2, undefined, 2, 2, undefined]);
  expect(computed).toEqual([4, 3, 4]);
});

it('computes once for each text, and never keeps more of them than its limit', () => {
  const computed: string[] = [];
  const length = perText(2, (text) => computed.push(text) && text.length);
  expect(['a', 'bb', 'a', 'bb'].map(length)).toEqual([1, 2, 1, 2]);
  expect(computed).toEqual(['a', 'bb']);
  expect(['ccc', 'a', 'ccc'].map(length)).toEqual([3, 1, 3]);
  expect(computed).toEqual(['a', 'bb', 'ccc', 'a']);
});
