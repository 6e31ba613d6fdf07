import type { Revision } from '../git/repo.ts';
import { sha256Hex } from '../lib/hash.ts';
import type { AppId } from './types.ts';

/** Names a release by what it is: the same content of the same app, first seen at the same commit, always has the same id. */
export function releaseId({ namespace, name }: AppId, content: string, revision: Revision): string {
  return sha256Hex([namespace, name, content, revision].join('\n')).slice(0, 20);
}
