import { describe, expect, it } from 'vitest';
import { undoChanges } from '../../src/manifest/edit-undo.ts';

const container = (name: string, fields: Record<string, unknown>) => ({ name, ...fields });

describe('the change of a release, taken back', () => {
  it.each([
    ['a field that nobody touched since goes back', { a: 1 }, { a: 2 }, { a: 2 }, { a: 1 }],
    ['a field that was changed again stays', { a: 1 }, { a: 2 }, { a: 3 }, { a: 3 }],
    ['a field that was changed back already stays', { a: 1 }, { a: 2 }, { a: 1 }, { a: 1 }],
    ['a field that was deleted since stays deleted', { a: 1, b: 1 }, { a: 2, b: 1 }, { b: 1 }, { b: 1 }],
    ['a field that was added goes', { b: 1 }, { a: 2, b: 1 }, { a: 2, b: 1 }, { b: 1 }],
    ['a field that was added and changed again stays', { b: 1 }, { a: 2, b: 1 }, { a: 3, b: 1 }, { a: 3, b: 1 }],
    ['a field that was taken away comes back', { a: 1, b: 1 }, { b: 1 }, { b: 1 }, { a: 1, b: 1 }],
    ['a field that was taken away and put in again stays', { a: 1 }, {}, { a: 3 }, { a: 3 }],
    ['a value that became another kind of value stays', { a: { b: 1 } }, { a: { b: 2 } }, { a: [3] }, { a: [3] }],
  ])('%s', (_name, base, judged, tip, wanted) => {
    expect(undoChanges(base, judged, tip)).toEqual(wanted);
  });

  it('is told apart by the names of items: one that was changed again stays, its neighbour goes back', () => {
    const at = (a: string, b: string) => ({ containers: [container('a', { image: a }), container('b', { image: b })] });
    expect(undoChanges(at('a:1', 'b:1'), at('a:2', 'b:2'), at('a:2', 'b:3'))).toEqual(at('a:1', 'b:3'));
  });
});
