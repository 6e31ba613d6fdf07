import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const program = join(import.meta.dirname, '../../node_modules/.cache/serin-tools/helm-v3.22.0');

/** The real program, as `npm run tools` builds it. Undefined: it was not built, so what needs it cannot be tested. */
export const helmProgram: string | undefined = existsSync(program) ? program : undefined;

export type Tree = Readonly<Record<string, string>>;

const fixture = join(import.meta.dirname, '../../fixtures/helm/podinfo-repository');

/** A repository with a chart and the HelmReleases of two apps. */
export const podinfoRepository: Tree = Object.fromEntries(
  readdirSync(fixture, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .map((path) => [path.slice(fixture.length + 1), readFileSync(path, 'utf8')]),
);

/** What the program prints when it is called by hand in a folder with these files. */
export function helmByHand(files: Tree, args: readonly string[]): string {
  const root = mkdtempSync(join(tmpdir(), 'by-hand-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    return execFileSync(helmProgram ?? '', args, { encoding: 'utf8', cwd: root });
  } finally {
    rmSync(root, { recursive: true });
  }
}
