import { constants } from 'node:fs';
import { access, mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/** Makes a folder with those above it, and sees to it that files can be written there. Rejects as the system says. */
export async function makeFolder(path: string): Promise<void> {
  const missing: string[] = [];
  let above = resolve(path);
  while (!(await isFolder(above))) {
    missing.unshift(above);
    above = dirname(above);
  }
  // One by one: to make all at once, Node tries for ever where a file system refuses the first of them as if it were not there.
  for (const one of missing) await mkdir(one).catch(unlessThere);
  await access(path, constants.W_OK | constants.X_OK);
}

/** Rejects where something else has that name. */
async function isFolder(path: string): Promise<boolean> {
  try {
    if ((await stat(path)).isDirectory()) return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
  throw Object.assign(new Error(`${path} is no folder`), { code: 'ENOTDIR' });
}

function unlessThere(error: unknown): void {
  if (codeOf(error) !== 'EEXIST') throw error;
}

const codeOf = (error: unknown): unknown => (error as { code?: unknown } | undefined)?.code;
