import { sha256Hex } from '../lib/hash.ts';
import type { Revision } from '../git/repo.ts';
import type { AppId } from './types.ts';
// placeholder
export function releaseId(app: AppId, content: string, revision: Revision): string { return sha256Hex(`${app.namespace}/${app.name}\n${content}\n${revision}`).slice(0, 20); }
