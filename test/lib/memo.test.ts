import { expect, it } from 'vitest';
import { perObject } from '../../src/lib/memo.ts';

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
