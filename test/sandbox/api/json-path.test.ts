import { describe, expect, test } from 'vitest';
import { humanDuration } from '../../../src/sandbox/api/table/age.ts';
import { compileJsonPath } from '../../../src/sandbox/api/table/json-path.ts';

const object = {
  metadata: { annotations: { 'a.b/c': 'x' } },
  spec: {
    hosts: ['h1', 'h2'],
    parts: [
      { name: 'p', size: 2 },
      { name: 'q', size: 5 },
    ],
  },
  status: {
    conditions: [
      { type: 'Ready', status: 'True' },
      { type: 'Other', status: 'False' },
    ],
  },
};

describe('printer columns', () => {
  test.each([
    ['.spec.hosts[0]', ['h1']],
    ['.spec.hosts[-1]', ['h2']],
    ['.spec.hosts', [['h1', 'h2']]],
    ['.spec.parts[*].name', ['p', 'q']],
    ['.spec.parts[?(@.size>3)].name', ['q']],
    ['.status.conditions[?(@.type=="Ready")].status', ['True']],
    [".status.conditions[?(@.type=='None')].status", []],
    ['.metadata.annotations.a\\.b/c', ['x']],
    [".metadata.annotations['a.b/c']", ['x']],
    ['{.spec.hosts[1]}', ['h2']],
    ['.none.at.all', []],
  ])('%s', (path, found) => {
    expect(compileJsonPath(path)(object)).toEqual(found);
  });

  test.each([
    [0, '0s'],
    [119_000, '119s'],
    [121_000, '2m1s'],
    [600_000, '10m'],
    [3 * 3_600_000, '3h'],
    [3 * 3_600_000 + 60_000, '3h1m'],
    [9 * 3_600_000, '9h'],
    [50 * 3_600_000, '2d2h'],
    [10 * 86_400_000, '10d'],
    [800 * 86_400_000, '2y70d'],
  ])('%i ms is %s', (ms, text) => {
    expect(humanDuration(ms)).toBe(text);
  });
});
