import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Writes a file so that after a crash it is there whole or not at all. */
export async function writeDurably(path: string, bytes: Uint8Array | string): Promise<void> {
  const staged = `${path}.tmp`;
  const file = await open(staged, 'w');
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(staged, path);
  await syncFolder(dirname(path));
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
