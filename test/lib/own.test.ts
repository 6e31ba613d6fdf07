import { describe, expect, it } from 'vitest';
import { own } from '../../src/lib/own.ts';

describe('A name that somebody else chose', () => {
  it.each(['constructor', 'toString', '__proto__', 'hasOwnProperty', 'valueOf'])(
    '%s is found only where it was put',
    (name) => {
      expect(own({}, name)).toBeUndefined();
      expect(own(Object.fromEntries([[name, 'x']]), name)).toBe('x');
    },
  );
});
