import { scopedAsDefined } from '../manifest/normalise.ts';
import { readFileSync } from 'node:fs';
import { checkManifests } from '../agent/check.ts';
import { appsOf } from '../canary/app.ts';
import { parseGoDuration } from '../lib/duration.ts';
import { AgentError } from '../lib/errors.ts';
import { sha256Hex } from '../lib/hash.ts';
import type { KnownFields } from '../manifest/checks/fields.ts';
import { loadTree } from '../manifest/load.ts';
import { createLineFinder } from '../manifest/locate.ts';
import type { Problem } from '../manifest/types.ts';
import { validateManifests } from '../manifest/validate.ts';
import { type CommandContext, exitCodes } from './command-line.ts';
import { checkCustomResources } from './custom-resources.ts';
import { readManifests } from './manifest-files.ts';

export interface ValidateOptions {
  readonly json?: boolean;
  readonly defaultNamespace: string;
  readonly meshProvider: string;
  /** A Go duration: the agent's setting. */
  readonly minInterval: string;
}

/** `serin validate PATH...`: every problem of files and folders, one a line. Exit code 3 when there are errors. */
export async function validate(
  { output }: CommandContext,
  paths: readonly string[],
  options: ValidateOptions,
): Promise<number> {
  const minIntervalMs = parseGoDuration(options.minInterval);
  if (minIntervalMs === undefined)
    throw new AgentError(
      'CONFIG_INVALID',
      `--min-interval: "${options.minInterval}" is no duration; write it like 10s`,
    );
  const settings = {
    path: '',
    ledgerDir: '.releases',
    defaultNamespace: options.defaultNamespace,
    provider: options.meshProvider,
    minIntervalMs,
  };
  const read = await readManifests(paths, settings);
  const files = new Map(
    [...read.files].map(([path, { content, mode }]) => [
      path,
      { oid: sha256Hex(content), ...(mode === undefined ? {} : { mode }) },
    ]),
  );
  const contents = new Map([...read.files].map(([path, { content }]) => [path, content]));
  const textOf = (path: string): string | undefined => contents.get(path)?.toString('utf8');
  const loaded = loadTree(files, contents, undefined, settings);
  const manifests = scopedAsDefined(loaded.manifests);
  const { problems } = loaded;
  const canaries = (): readonly Problem[] =>
    checkManifests(manifests, appsOf(manifests, settings.defaultNamespace), settings, textOf);
  const lineOf = createLineFinder(textOf);
  const checked = validateManifests(manifests, { extra: [canaries], known: knownFields(), lineOf });
  const refused = checkCustomResources(manifests, checked, lineOf);
  const all = [...read.problems, ...problems, ...checked, ...refused].sort(
    (a, b) => a.path.localeCompare(b.path) || a.line - b.line,
  );
  const errors = all.filter(({ severity }) => severity === 'error').length;
  for (const problem of all) output.line(options.json ? JSON.stringify(problem) : shown(problem, output.colour));
  if (!options.json) {
    const found = `${counted(errors, 'error')}, ${counted(all.length - errors, 'warning')}`;
    const summary = `${counted(manifests.length, 'object')} in ${counted(files.size, 'file')}: ${found}`;
    output.line(errors > 0 ? output.colour.red(summary) : output.colour.green(summary));
  }
  return errors > 0 ? exitCodes.found : exitCodes.done;
}

function knownFields(): KnownFields {
  const file = new URL('../../fixtures/kubernetes/fields.json', import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as KnownFields;
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

function shown({ path, line, severity, message, hint }: Problem, colour: CommandContext['output']['colour']): string {
  const mark = severity === 'error' ? colour.red('error') : colour.yellow('warning');
  return `${colour.bold(`${path}:${line}`)} ${mark} ${message}${hint === undefined ? '' : colour.dim(` (${hint})`)}`;
}
