import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findTags, readCatalogue } from '../catalogue/coverage.ts';

const root = join(import.meta.dirname, '../..');

interface Row {
  readonly id: string;
  readonly severity: string;
  readonly decision: string;
  readonly file: string;
}

const rows: readonly Row[] = readFileSync(join(root, 'src/canary/FAULTS.md'), 'utf8')
  .split('\n')
  .filter((line) => /^\| R\d+ /.test(line))
  .map((line) => {
    const [, id = '', severity = '', , decision = '', where = ''] = line.split('|').map((cell) => cell.trim());
    return { id, severity, decision, file: where.replaceAll('`', '') };
  });

describe('the table of faults', () => {
  it('has every fault of the catalogue once, with its severity', () => {
    const { faults } = readCatalogue();
    expect(rows.map(({ id, severity }) => `${id} ${severity}`)).toEqual(
      [...faults].map(([id, { severity }]) => `${id} ${severity}`),
    );
  });

  it('decides each in one of four ways', () => {
    expect(rows.filter(({ decision }) => !/^\*\*(?:fixed|kept|not here|later)\*\*/.test(decision))).toEqual([]);
  });

  it('has a test for everything that it calls fixed', () => {
    const tags = findTags();
    const fixed = rows.filter(({ decision }) => decision.startsWith('**fixed**'));
    expect(fixed.filter(({ id }) => !tags.has(id)).map(({ id }) => id)).toEqual([]);
  });

  it('fixes every outage', () => {
    const outages = rows.filter(({ severity }) => severity === 'H');
    expect(outages.filter(({ decision }) => !decision.startsWith('**fixed**'))).toEqual([]);
  });

  it('names files that exist', () => {
    expect(rows.filter(({ file }) => !existsSync(join(root, file)))).toEqual([]);
  });
});
