import { expect, it } from 'vitest';
import { goJson, sortedByKey } from '../../src/lib/go-json.ts';

it('writes what Go escapes as Go escapes it', () => {
  expect(goJson({ text: 'a < b & c > d \u2028 é' })).toBe('{"text":"a \\u003c b \\u0026 c \\u003e d \\u2028 é"}');
});

it('writes maps by key', () => {
  expect(JSON.stringify(sortedByKey({ b: '1', a: '2', B: '3' }))).toBe('{"B":"3","a":"2","b":"1"}');
});
