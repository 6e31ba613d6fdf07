import { describe, expect, it } from 'vitest';
import type { Evidence, Load } from '../../src/canary/evidence.ts';
import { evidenceTable } from '../../src/release/evidence-table.ts';

const figures = { requests: 600, failed: 3, p50Ms: 3.1, p95Ms: 9.4, p99Ms: 12.44 };
const look = (atMs: number, canaryWeight: number, load?: Load): Evidence => ({
  atMs,
  canaryWeight,
  iterations: 0,
  checks: [{ name: 'load-test', passed: true, found: { kind: 'hook', ...(load ? { load } : {}) } }],
});

describe('the table of a release’s evidence', () => {
  it('says what a load tester has sent, once for each weight, with its last figures', () => {
    const table = evidenceTable([
      look(0, 0),
      look(10_000, 10, { canary: { ...figures, requests: 200 } }),
      look(20_000, 10, { canary: figures }),
      look(30_000, 20, { canary: figures, primary: { ...figures, failed: 0 } }),
    ]);
    expect(table.slice(1).map((line) => line.trim().replaceAll(/ {2,}/g, ' '))).toEqual([
      '00:00:00 0% passed load-test check load-test passed',
      '00:00:10 10% passed load-test check load-test passed (600 requests, 3 failed, p99 12.4ms) (2 times, until 00:00:20)',
      '00:00:30 20% passed load-test check load-test passed (canary 600 requests, 3 failed, p99 12.4ms; primary 600 requests, 0 failed, p99 12.4ms)',
    ]);
  });
});
