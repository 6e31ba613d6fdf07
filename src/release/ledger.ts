import type { Revision } from '../git/repo.ts';
// placeholder
export const ledgerFolder = ({ path, ledgerDir }: { path: string; ledgerDir: string }): string => (path === '' ? ledgerDir : `${path}/${ledgerDir}`);
export function parseLedger(_path: string, _text: string): { stable: { content: string; revision: Revision } | undefined; quarantine: { content: string; reason: string; expires?: string }[] } { return { stable: undefined, quarantine: [] }; }
