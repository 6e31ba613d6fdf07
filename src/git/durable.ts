import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Writes a file so that after a crash it is there whole or not at all, and leaves nothing behind where that fails. */
export async function writeDurably(path: string, bytes: Uint8Array | string): Promise<void> {
  await writeAllDurably([[path, bytes]]);
}

/**
 * The same for several files of one folder, which appear in this order once all of them are safe on the disk: the disk is waited for twice,
 * however many they are. Where one fails none is there.
 */
export async function writeAllDurably(
  files: readonly (readonly [path: string, bytes: Uint8Array | string])[],
): Promise<void> {
  const placed: string[] = [];
  try {
    const written = await Promise.allSettled(files.map(([path, bytes]) => writeSafely(`${path}.tmp`, bytes)));
    for (const result of written) if (result.status === 'rejected') throw result.reason;
    for (const [path] of files) {
      await rename(`${path}.tmp`, path);
      placed.push(path);
    }
  } catch (error) {
    // A disk that is full is not to stay so for what nobody needs.
    for (const path of [...files.map(([each]) => `${each}.tmp`), ...(files.length > 1 ? placed : [])])
      await rm(path, { force: true }).catch(() => undefined);
    throw error;
  }
  for (const folder of new Set(files.map(([path]) => dirname(path)))) await syncFolder(folder);
}

async function writeSafely(path: string, bytes: Uint8Array | string): Promise<void> {
  const file = await open(path, 'w');
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes renames in a folder survive a crash. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
