import { readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { checkManifests } from '../agent/check.ts';
import { appsOf } from '../canary/app.ts';
import { AgentError, messageOf } from '../lib/errors.ts';
import { sha256Hex } from '../lib/hash.ts';
import { isManifestFile, loadTree } from '../manifest/load.ts';
import type { Problem } from '../manifest/types.ts';
import { validateManifests } from '../manifest/validate.ts';
import { type CommandContext, exitCodes } from './command-line.ts';

export interface ValidateOptions {
  readonly json?: boolean;
  readonly defaultNamespace: string;
  readonly meshProvider: string;
}

/** `serin validate DIR`: every problem of a folder, one a line. Exit code 3 when there are errors. */
export async function validate({ output }: CommandContext, dir: string, options: ValidateOptions): Promise<number> {
  const settings = {
    path: '',
    ledgerDir: '.releases',
    defaultNamespace: options.defaultNamespace,
    provider: options.meshProvider,
    minIntervalMs: 10_000,
    selectorLabels: ['app', 'name', 'app.kubernetes.io/name'],
  };
  const contents = new Map<string, Uint8Array>();
  const texts = new Map<string, string>();
  let names: string[];
  try {
    names = await readdir(dir, { recursive: true });
  } catch (cause) {
    throw new AgentError('CONFIG_INVALID', `${dir} cannot be read: ${messageOf(cause)}`, { cause });
  }
  for (const name of names) {
    const path = relative(dir, join(dir, name)).split(sep).join('/');
    if (!isManifestFile(path, settings)) continue;
    const content = await readFile(join(dir, name));
    contents.set(path, content);
    texts.set(path, content.toString('utf8'));
  }
  const files = new Map([...texts].map(([path, text]) => [path, { oid: sha256Hex(text) }]));
  const { manifests, problems } = loadTree(files, contents, undefined, settings);
  const canaries = (): readonly Problem[] =>
    checkManifests(manifests, appsOf(manifests, settings.defaultNamespace), settings, (path) => texts.get(path));
  const all = [...problems, ...validateManifests(manifests, [canaries])].sort(
    (a, b) => a.path.localeCompare(b.path) || a.line - b.line,
  );
  const errors = all.filter(({ severity }) => severity === 'error').length;
  for (const problem of all) output.line(options.json ? JSON.stringify(problem) : shown(problem, output.colour));
  if (!options.json) {
    const summary = `${manifests.length} objects in ${texts.size} files: ${errors} errors, ${all.length - errors} warnings`;
    output.line(errors > 0 ? output.colour.red(summary) : output.colour.green(summary));
  }
  return errors > 0 ? exitCodes.found : exitCodes.done;
}

function shown({ path, line, severity, message, hint }: Problem, colour: CommandContext['output']['colour']): string {
  const mark = severity === 'error' ? colour.red('error') : colour.yellow('warning');
  return `${colour.bold(`${path}:${line}`)} ${mark} ${message}${hint === undefined ? '' : colour.dim(` (${hint})`)}`;
}
