import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findTags, readCatalogue, renderTable } from './coverage.ts';

const catalogue = readCatalogue();
const tags = findTags();
const cases = catalogue.sections.flatMap((section) => Object.keys(section.cases));
const all = new Set([...cases, ...catalogue.faults.keys()]);

describe('the catalogue', () => {
  it('has every id once', () => {
    expect(cases).toHaveLength(new Set(cases).size);
  });

  it('has every id that tests name', () => {
    expect([...tags].filter(([id]) => !all.has(id))).toEqual([]);
  });

  it('gives reasons for known ids without tests only', () => {
    expect([...catalogue.reasons.keys()].filter((id) => !all.has(id) || tags.has(id))).toEqual([]);
  });

  it('has a test or a reason for every case', () => {
    expect(cases.filter((id) => !tags.has(id) && !catalogue.reasons.has(id))).toEqual([]);
  });

  it('has a test for every fault that is an outage', () => {
    const outages = [...catalogue.faults].filter(([, { severity }]) => severity === 'H');
    expect(outages.filter(([id]) => !tags.has(id)).map(([id]) => id)).toEqual([]);
  });

  it('is the table beside this test', async () => {
    await expect(renderTable(catalogue, tags)).toMatchFileSnapshot(join(import.meta.dirname, 'COVERAGE.md'));
  });
});
