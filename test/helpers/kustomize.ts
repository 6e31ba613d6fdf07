import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseManifests } from '../../src/manifest/parse.ts';
import type { KubeObject } from '../../src/manifest/types.ts';

const program = join(import.meta.dirname, '../../node_modules/.cache/serin-tools/kustomize-v5.8.2');

/** The real program, as `npm run tools` builds it. Undefined: it was not built, so what needs it cannot be tested. */
export const kustomizeProgram: string | undefined = existsSync(program) ? program : undefined;

/** What the program prints for a folder of these files when it is called by hand. */
export function kustomizeByHand(
  files: Readonly<Record<string, string>>,
  folder: string,
  options: readonly string[] = [],
): readonly KubeObject[] {
  const root = mkdtempSync(join(tmpdir(), 'by-hand-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    const text = execFileSync(kustomizeProgram ?? '', ['build', ...options, join(root, folder)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return parseManifests('x.yaml', text).manifests.map(({ object }) => object);
  } finally {
    rmSync(root, { recursive: true });
  }
}
