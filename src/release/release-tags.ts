import type { GitRepo, Revision } from '../git/repo.ts';
import { type ComposeSettings, tagFolder } from './compose.ts';
import type { AppId } from './types.ts';

/** An app's release tags on the server: number to judged commit. */
export type ReleaseTags = (app: AppId, signal: AbortSignal) => Promise<ReadonlyMap<number, Revision>>;

/** Asks once for the tags of all these apps, when the first is asked for, and for no others: there may be very many. */
export function createReleaseTags(
  repo: Pick<GitRepo, 'refs'>,
  settings: Pick<ComposeSettings, 'tagPrefix'>,
  apps: readonly AppId[],
): ReleaseTags {
  const folderOf = (app: AppId): string => `refs/tags/${tagFolder(settings, app)}`;
  let answer: Promise<ReadonlyMap<string, ReadonlyMap<number, Revision>>> | undefined;
  const ask = async (signal: AbortSignal): Promise<Map<string, Map<number, Revision>>> => {
    const byFolder = new Map(apps.map((app) => [folderOf(app), new Map<number, Revision>()]));
    for (const [name, revision] of await repo.refs([...byFolder.keys()], signal)) {
      const [, folder = '', number = ''] = /^(.*\/)([1-9]\d{0,8})$/.exec(name) ?? [];
      byFolder.get(folder)?.set(Number(number), revision);
    }
    return byFolder;
  };
  return async (app, signal) => {
    answer ??= ask(signal);
    return (await answer).get(folderOf(app)) ?? new Map<number, Revision>();
  };
}
