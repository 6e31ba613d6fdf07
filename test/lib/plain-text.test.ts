import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createOutput } from '../../src/cli/output.ts';
import { createLogger } from '../../src/lib/log.ts';
import { plainData, plainLine, plainText } from '../../src/lib/plain-text.ts';
import { hostileText, unseenIn } from '../helpers/hostile-text.ts';

describe('a text of others', () => {
  it.each([
    ['colours of a terminal', 'a\u001B[31mb\u009B1mc', 'a [31mb 1mc'],
    ['a turned file name', 'gnp\u202Egnp.exe\u202C', 'gnpgnp.exe'],
    ['isolates and marks', '\u2066a\u2069\u200Eb\u200F\u061Cc', 'abc'],
    [
      'separators that are no line ends for everybody',
      'a\u2028Verdict: promoted\u2029b\u0085c',
      'a Verdict: promoted b c',
    ],
    ['hidden letters', 'pass\u00ADword\u200B\uFEFF\u2060\u{E0041}', 'password'],
    ['half of a pair', 'a\uD800b', 'a\uFFFDb'],
    ['a carriage return', 'good\rbad\r\nnext', 'good bad\nnext'],
    ['a tab, a bell and a nul', 'a\tb\u0007c\u0000', 'a b c '],
  ])('loses %s', (_, text, plain) => {
    expect(plainText(text)).toBe(plain);
  });

  it.each(['größer 漢字 עברית العربية', '👩\u200D💻 🏴 é', 'क\u094D\u200Dष', 'one\ntwo'])('keeps %j', (text) => {
    expect(plainText(text)).toBe(text);
  });

  it('is the same when it is made plain again, on one line where it has to be', () => {
    fc.assert(
      fc.property(hostileText, (text) => {
        const plain = plainText(text);
        expect(unseenIn(plain)).toEqual([]);
        expect(plainText(plain)).toBe(plain);
        expect(plainLine(text)).not.toContain('\n');
        expect(unseenIn(plainLine(text))).toEqual([]);
      }),
    );
  });

  it('costs work in proportion to its length', () => {
    const started = performance.now();
    for (const text of [
      '\u202E'.repeat(1_000_000),
      ' \n'.repeat(500_000),
      '\r'.repeat(1_000_000),
      `${' '.repeat(1_000_000)}x`,
    ])
      plainLine(text);
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  it('is plain as the name of a member, too', () => {
    expect(plainData({ 'a\u202E': ['\u001B', { b: 1, c: null }] })).toEqual({ a: [' ', { b: 1, c: null }] });
  });

  it('reaches no line of the log, in whatever field', () => {
    fc.assert(
      fc.property(hostileText, hostileText, (message, field) => {
        const lines: string[] = [];
        const log = createLogger('debug', (line) => lines.push(line));
        log.child({ canary: field }).warn({ [`of ${field}`]: field, nested: { list: [field] } }, message);
        expect(lines).toHaveLength(1);
        expect(lines[0]).toMatch(/^\{.*\}\n$/);
        const strings: string[] = [];
        JSON.parse(lines[0] ?? '', (key, value: unknown) => {
          strings.push(key);
          if (typeof value === 'string') strings.push(value);
          return value;
        });
        expect(strings.flatMap(unseenIn)).toEqual([]);
        expect(unseenIn(lines[0]?.trimEnd() ?? '')).toEqual([]);
      }),
    );
  });

  it('moves nothing on the terminal, whose colours stay', () => {
    const written: string[] = [];
    const output = createOutput({ isTTY: true, write: (text) => written.push(text) }, {});
    output.line(`${output.colour.red('error')} a\u001B[2Jb\u001B]0;title\u0007\u202Ec`);
    expect(written.join('')).toBe(`${output.colour.red('error')} a [2Jb ]0;title c\n`);
  });
});
