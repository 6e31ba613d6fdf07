import { readFile } from 'node:fs/promises';
import { text as textOf } from 'node:stream/consumers';
import { parse } from 'yaml';
import { policyOfSpec } from '../../images/flux-objects.ts';
import { type Candidate, pick } from '../../images/pick.ts';
import { type ImagePolicy, plainly, readPattern } from '../../images/policy.ts';
import { readWishes, withWishes } from '../../images/wishes.ts';
import { AgentError, messageOf } from '../../lib/errors.ts';
import { type CommandContext, exitCodes } from '../context.ts';

export interface ImagesTestOptions {
  /** `semver:~1.4`, or a policy of Flux v2 as YAML or JSON. */
  readonly policy: string;
  readonly current: string;
  /** A tag a line, optionally with its time behind it; `-`: standard input. */
  readonly tags: string;
  readonly quarantined?: readonly string[];
  /** RFC 3339. Absent: the time of this machine. */
  readonly now?: string;
  readonly minAge?: string;
  readonly windows?: string;
  readonly prereleases?: string;
  readonly json?: boolean;
}

const maxBytes = 16 * 1024 * 1024;

/** `serin images test`: which tag a policy would pick, and why it would pick none of the others. Asks nobody. */
export async function imagesTest({ output, stdout }: CommandContext, options: ImagesTestOptions): Promise<number> {
  const { current, quarantined = [], json = false } = options;
  const nowMs = options.now === undefined ? Date.now() : timeOf(options.now, '--now');
  const [wrong] = quarantined.filter((tag) => /[\s/:,@]/.test(tag));
  if (wrong !== undefined)
    throw usage(`--quarantined: "${wrong.slice(0, 80)}" is no tag; write the tag alone, and the option once for each`);
  const policy = policyOf(options);
  const candidates = candidatesIn(await tagsText(options.tags), options.tags);
  if ('problem' in policy) {
    const nothing = { pick: null, reason: policy.problem };
    const rejected = candidates.map(({ tag }) => ({ tag, reason: policy.problem }));
    if (json) stdout.write(`${JSON.stringify({ ...nothing, rejected })}\n`);
    throw usage(policy.problem);
  }
  const {
    pick: picked,
    reason,
    rejected,
  } = pick({
    policy,
    current: { tag: current },
    listing: { candidates },
    quarantine: quarantined.map((tag) => ({ tag })),
    nowMs,
  });
  const wanted = picked?.tag ?? null;
  if (json) stdout.write(`${JSON.stringify({ pick: wanted, reason, rejected })}\n`);
  else {
    output.line(wanted === null ? `${current} stays: ${reason}` : `${current} -> ${wanted}: ${reason}`);
    output.table(rejected.map(({ tag, reason: why }) => [`  ${tag}`, why]));
  }
  return exitCodes.done;
}

function policyOf({
  policy: text,
  minAge,
  windows,
  prereleases,
}: ImagesTestOptions): ImagePolicy | { readonly problem: string } {
  const read = readPolicy(text);
  if ('problem' in read) return { problem: `--policy: ${read.problem}` };
  const asked = { 'min-age': minAge, windows, prereleases };
  const wishes = readWishes(
    Object.fromEntries(
      Object.entries(asked).flatMap(([name, value]) =>
        value === undefined ? [] : [[`serin.dev/image-${name}`, value]],
      ),
    ),
  );
  const [wrong] = wishes.wrong;
  if (wrong) throw usage(`${wrong.annotation.replace('serin.dev/image-', '--')}: ${wrong.problem}`);
  return withWishes(read, wishes);
}

function readPolicy(text: string): ImagePolicy | { readonly problem: string } {
  // `semver: {range: 1.x}` is a map, `semver:1.x` is a text.
  const value = yamlIn(text);
  if (typeof value === 'object' && value !== null) return policyOfSpec(value);
  if (/^\s*\{/.test(text)) return { problem: 'begins with "{", and is neither YAML nor JSON' };
  const selection = readPattern(text);
  return 'problem' in selection ? selection : { ...plainly, text, selection };
}

function yamlIn(text: string): unknown {
  try {
    return parse(text, { maxAliasCount: 0, logLevel: 'error' }) as unknown;
  } catch {
    // A regular expression, as likely as not.
    return undefined;
  }
}

async function tagsText(path: string): Promise<string> {
  try {
    const text = path === '-' ? await textOf(process.stdin) : await readFile(path, 'utf8');
    if (text.length <= maxBytes) return text;
  } catch (cause) {
    throw usage(`--tags ${path}: ${messageOf(cause)}`);
  }
  throw usage(`--tags ${path}: it is longer than 16 MiB`);
}

function candidatesIn(text: string, path: string): readonly Candidate[] {
  return text.split('\n').flatMap((line, index): readonly Candidate[] => {
    const [tag = '', time] = line.trim().split(/\s+/);
    if (tag === '') return [];
    if (time === undefined) return [{ tag, createdMs: null }];
    const ms = timeOf(time, `${path}:${index + 1}`);
    return [{ tag, createdMs: ms, firstSeenMs: ms }];
  });
}

function timeOf(text: string, where: string): number {
  const ms = /^\d{4}-/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) throw usage(`${where}: "${text.slice(0, 60)}" is no time like 2026-11-30T12:00:00Z`);
  return ms;
}

const usage = (message: string): AgentError => new AgentError('CONFIG_INVALID', message);
