import { expect, it } from 'vitest';
import { agentSettings } from '../../src/cli/run.ts';
import { readSettings } from '../../src/config/settings.ts';

const folders = (flags: Record<string, string>): [string, string] => {
  const { path, ledgerDir } = agentSettings(readSettings({ flags, environment: {}, file: {} }));
  return [path, ledgerDir];
};

it('folders of the repository are taken however people write them', () => {
  expect(folders({})).toEqual(['', '.releases']);
  expect(folders({ 'git-path': './' })).toEqual(['', '.releases']);
  expect(folders({ 'git-path': '/clusters//eu/', 'ledger-dir': './meta/ledgers/' })).toEqual([
    'clusters/eu',
    'meta/ledgers',
  ]);
});

it('a folder outside of the repository is refused', () => {
  expect(() => folders({ 'git-path': '../other' })).toThrow('--git-path is ../other');
  expect(() => folders({ 'ledger-dir': 'a/../../b' })).toThrow('--ledger-dir');
});
