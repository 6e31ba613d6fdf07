import { expect, it } from 'vitest';
import { parseGoDuration } from '../../src/lib/duration.ts';
import { plainLine } from '../../src/lib/plain-text.ts';
import { redact } from '../../src/lib/redact.ts';

/** Milliseconds of CPU of the quickest of three runs. */
const timeOf = (work: () => unknown): number => {
  const times = [1, 2, 3].map(() => {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1_000;
  });
  return Math.min(...times);
};

it.each<[string, (size: number) => unknown]>([
  ['a duration of digits', (size) => parseGoDuration(`${'0'.repeat(size)}x`)],
  ['a duration of many parts', (size) => parseGoDuration(`${'1h'.repeat(size / 2)}x`)],
  ['a line end before a row of spaces', (size) => plainLine(`a\nb${' '.repeat(size)}c`)],
  ['line ends and spaces', (size) => plainLine(`a${' \n'.repeat(size / 2)}c`)],
  ['beginnings of tokens', (size) => redact('eyJ-'.repeat(size / 4))],
  ['beginnings of tokens, with points', (size) => redact('-eyJabcdefgh.a'.repeat(size / 14))],
])('what others write costs time in proportion to its length: %s', (_, work) => {
  const size = 40_000;
  expect(timeOf(() => work(2 * size))).toBeLessThan(Math.max(3.5 * timeOf(() => work(size)), 120));
});

it.each([
  ['a\nb', 'a b'],
  ['a \n\t b', 'a b'],
  ['a\n \n\n b', 'a b'],
  ['\na\n', ' a '],
  [' a  b ', ' a  b '],
  ['\n', ' '],
])('%j is one line', (text, line) => {
  expect(plainLine(text)).toBe(line);
});

it.each([
  ['eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.abc-_def', '***'],
  ['id=x-eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0', 'id=x-***'],
  ['eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0..', '***.'],
  ['www.eyJ.example.com', 'www.eyJ.example.com'],
])('a web token in %s is hidden', (text, shown) => {
  expect(redact(text)).toBe(shown);
});
