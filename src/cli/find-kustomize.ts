import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { createKustomize, type Kustomize } from '../render/kustomize.ts';

/** Of `--kustomize`, found in PATH where it is a name. Undefined: nothing is to be rendered. A program that is not there is told where one is needed. */
export function findKustomize(
  setting: string,
  environment: Readonly<Record<string, string | undefined>>,
): Kustomize | undefined {
  if (setting === '') return undefined;
  if (setting.includes('/')) return createKustomize({ program: setting });
  const folders = (environment['PATH'] ?? '').split(delimiter).filter((folder) => folder.startsWith('/'));
  const found = folders.map((folder) => join(folder, setting)).find(isProgram);
  return createKustomize({ program: found ?? `/nowhere/${setting}` });
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
