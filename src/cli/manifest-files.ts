import type { Dirent } from 'node:fs';
import { readdir, readFile, readlink, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { AgentError, messageOf } from '../lib/errors.ts';
import { isManifestFile, type LoadSettings } from '../manifest/load.ts';
import type { Problem } from '../manifest/types.ts';
import { placeIn } from './repository-root.ts';

export interface ManifestFiles {
  /** By path as it is shown: from the repository's root where that is known, within a single folder from there, else as it was named. */
  readonly files: ReadonlyMap<string, ManifestContent>;
  /** What could not be read. */
  readonly problems: readonly Problem[];
}

interface ManifestContent {
  readonly content: Buffer;
  /** As Git writes it; only of links. Their content is where they lead: nobody follows them. */
  readonly mode?: string;
}

const linkMode = '120000';

/**
 * The files of folders that would be applied, and all files that are named one by one, read as Git would hold them. `root`: that of the
 * repository, without links in its path; undefined: each folder counts as one. Throws CONFIG_INVALID where something that is named is not there.
 */
export async function readManifests(
  paths: readonly string[],
  settings: LoadSettings,
  root?: string,
): Promise<ManifestFiles> {
  const files = new Map<string, ManifestContent>();
  const problems: Problem[] = [];
  const seen = new Set<string>();
  /** Whatever was come upon, read before or not. */
  let found = 0;
  const tell = (path: string, severity: Problem['severity'], message: string): void => {
    found += 1;
    problems.push({ severity, path, line: 1, message });
  };
  /** The same file is read once, however often it is named. */
  const take = async (file: string, path: string): Promise<void> => {
    const real = await realpath(file);
    found += 1;
    if (seen.has(real)) return;
    seen.add(real);
    try {
      files.set(path, { content: await readFile(file) });
    } catch (cause) {
      tell(path, 'error', `cannot be read: ${messageOf(cause)}`);
    }
  };

  const walk = async (folder: string, inside: string, shownAs: (inside: string) => string): Promise<void> => {
    let entries: Dirent[];
    try {
      entries = await readdir(folder, { withFileTypes: true });
    } catch (cause) {
      return tell(shownAs(inside), 'error', `cannot be read: ${messageOf(cause)}`);
    }
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const here = inside === '' ? entry.name : `${inside}/${entry.name}`;
      const file = join(folder, entry.name);
      if (entry.isDirectory()) {
        if (!entry.name.startsWith('.')) await walk(file, here, shownAs);
      } else if (isManifestFile(root === undefined ? here : shownAs(here), settings)) {
        if (entry.isFile()) await take(file, shownAs(here));
        else if (entry.isSymbolicLink()) {
          found += 1;
          files.set(shownAs(here), { content: Buffer.from(await readlink(file)), mode: linkMode });
        } else tell(shownAs(here), 'warning', 'is no file, and is passed over');
      }
    }
  };

  const below = settings.path === '' ? '' : ` (only what is below git-path, ${settings.path}, is)`;
  const placeOf = async (named: string): Promise<string | undefined> =>
    root === undefined ? undefined : placeIn(root, await realpath(named));
  const takeNamed = async (named: string): Promise<void> => {
    const path = (await placeOf(named)) ?? named.split(sep).join('/');
    await take(named, path);
    if (root !== undefined && !isManifestFile(path, settings))
      tell(path, 'warning', `it would not be applied from there${below}`);
  };

  for (const named of paths) {
    const entry = await stat(named).catch((cause: unknown) => {
      throw new AgentError('CONFIG_INVALID', `${named} cannot be read: ${messageOf(cause)}`, { cause });
    });
    if (!entry.isDirectory()) {
      if (entry.isFile()) await takeNamed(named);
      else throw new AgentError('CONFIG_INVALID', `${named} is neither a file nor a folder`);
      continue;
    }
    const place = await placeOf(named);
    const base = place ?? (paths.length === 1 ? '' : named.split(sep).join('/').replace(/\/+$/, ''));
    const before = found;
    await walk(named, '', (inside) => [base, inside].filter((part) => part !== '').join('/'));
    if (found === before) tell(named, 'warning', `there is no YAML or JSON file in it that would be applied${below}`);
  }
  return { files, problems };
}
