import { AgentError } from '../lib/errors.ts';
import { nearest } from '../lib/nearest.ts';
import { readSetting, type Setting, type SettingName, type Settings, settings } from './settings.ts';

/** What a source may say for itself, and the setting that it says. */
const fields = {
  url: 'git-url',
  branch: 'git-branch',
  path: 'git-path',
  'poll-interval': 'git-poll-interval',
  username: 'git-username',
  'password-file': 'git-password-file',
  'ca-file': 'git-ca-file',
  'ssh-key-file': 'git-ssh-key-file',
  'ssh-secret': 'git-ssh-secret',
  'known-hosts-file': 'git-known-hosts-file',
  'known-hosts': 'git-known-hosts',
  'max-download': 'git-max-download',
  'cache-memory': 'git-cache-memory',
  write: 'write',
  'image-updates': 'image-updates',
  'author-name': 'git-author-name',
  'author-email': 'git-author-email',
  'ledger-dir': 'ledger-dir',
  'tag-prefix': 'tag-prefix',
  'default-namespace': 'default-namespace',
} as const satisfies Readonly<Record<string, SettingName>>;

/** Said outside of `sources` they would be of all of them: a token for one server would go to another one. */
const onlyInSources: readonly (keyof typeof fields)[] = ['url', 'path', 'username', 'password-file', 'ssh-key-file'];

const names = ['name', ...Object.keys(fields), 'paths', 'tenants'];
/** It stands in names of objects and folders, before a dot. */
const label = /^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$/;

/** One of the repositories, or folders of one, that an agent follows. */
export interface SourceConfig {
  /** A DNS label of at most 40 signs. */
  readonly name: string;
  /** All settings as they are for this source. */
  readonly values: Settings;
  /** As it was written; undefined where it has none. */
  readonly tenants: unknown;
}

/** The field of a source that says a setting; undefined: that one is of the whole agent. */
export const fieldOf = (name: string): string | undefined =>
  Object.entries(fields).find(([, setting]) => setting === name)?.[0];

/**
 * What `sources:` of the settings file says. `common`: the settings outside of it, which count where a source says nothing else. Throws
 * CONFIG_INVALID with every problem at once.
 */
export function readSources(value: unknown, common: Settings): readonly SourceConfig[] {
  if (!Array.isArray(value) || value.length === 0)
    throw new AgentError(
      'CONFIG_INVALID',
      'sources: write a list of sources, or leave it out where --git-url names the only one',
    );
  const problems: string[] = [];
  for (const field of onlyInSources) {
    const name = fields[field];
    const fallback = (settings as readonly Setting[]).find((entry) => entry.name === name)?.default;
    if (common[name] !== fallback)
      problems.push(`--${name} is set beside sources: write ${field} into the source that it is of`);
  }
  const written = value.flatMap((entry: unknown, index) => perPath(entry, `sources[${index}]`, problems));
  const sources = written.map(({ entry, place }) => ({ place, ...readSource(entry, common, place, problems) }));
  sources.forEach(({ name, values, place }, index) => {
    for (const other of sources.slice(0, index)) {
      if (name !== '' && other.name === name) problems.push(`${place}.name: "${name}" is there twice`);
      if (overlap(values, other.values))
        problems.push(
          `${place}.path: it overlaps with that of ${other.place}, of the same repository and branch; each file is of one source`,
        );
    }
  });
  if (problems.length > 0) throw new AgentError('CONFIG_INVALID', [...new Set(problems)].join('\n'));
  return sources.map(({ place: _place, ...source }) => source);
}

interface Entry {
  readonly entry: unknown;
  /** How it is told where it stands. */
  readonly place: string;
}

/** An entry with `paths` stands for one source for each of them, which has the folder in its name. */
function perPath(entry: unknown, place: string, problems: string[]): readonly Entry[] {
  if (typeof entry !== 'object' || entry === null || !('paths' in entry)) return [{ entry, place }];
  const { paths, ...rest } = entry as { readonly paths: unknown; readonly name?: unknown; readonly path?: unknown };
  if (rest.path !== undefined) problems.push(`${place}.paths: write path or paths, not both`);
  if (!Array.isArray(paths) || paths.length === 0 || paths.some((path) => typeof path !== 'string' || path === '')) {
    problems.push(`${place}.paths: write a list of folders`);
    return [{ entry: rest, place }];
  }
  return (paths as readonly string[]).map((path, index) => ({
    entry: { ...rest, path, name: typeof rest.name === 'string' ? `${rest.name}-${labelOf(path)}` : rest.name },
    place: `${place}.paths[${index}]`,
  }));
}

/** `clusters/Prod_1/apps` as a part of a name: `clusters-prod-1-apps`. */
function labelOf(path: string): string {
  const words = path
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '');
  return words.length === 0 ? 'root' : words.join('-');
}

function readSource(entry: unknown, common: Settings, place: string, problems: string[]): SourceConfig {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
    problems.push(`${place}: write a map with name, url and what else it has of its own`);
    return { name: '', values: common, tenants: undefined };
  }
  const given = new Map<string, unknown>(Object.entries(entry));
  const name = given.get('name');
  if (typeof name !== 'string' || !label.test(name))
    problems.push(`${place}.name: write at most 40 small letters, digits and hyphens`);
  if (typeof given.get('url') !== 'string' || given.get('url') === '')
    problems.push(`${place}.url: name the repository to watch`);
  const own: Partial<Record<SettingName, Settings[SettingName]>> = {};
  for (const [field, written] of given) {
    if (field === 'name' || field === 'tenants') continue;
    const setting = Object.hasOwn(fields, field) ? fields[field as keyof typeof fields] : undefined;
    const known = (settings as readonly Setting[]).find((one) => one.name === setting);
    if (!setting || !known) {
      problems.push(`${place}: "${field}" is no field of a source; ${meant(field)}`);
      continue;
    }
    if (typeof written !== 'string' && typeof written !== 'number' && typeof written !== 'boolean') {
      problems.push(`${place}.${field}: write one text or number`);
      continue;
    }
    const read = readSetting(known, String(written));
    if ('problem' in read) problems.push(`${place}.${field}: ${read.problem}`);
    else own[setting] = read.value;
  }
  // Written and left empty is not the same as left out: then everybody could say everything.
  const tenants = given.has('tenants') ? (given.get('tenants') ?? []) : undefined;
  return { name: typeof name === 'string' ? name : '', values: { ...common, ...own } as Settings, tenants };
}

function meant(field: string): string {
  // Also who writes it as the flag is called.
  const asFlag = Object.entries(fields).find(([, name]) => name === field)?.[0];
  const close = asFlag ?? nearest(field, names);
  return close === undefined ? `they are ${names.join(', ')}` : `did you mean ${close}?`;
}

/** Names a branch of a repository, the same for the usual spellings of one. */
export function remoteOf({ 'git-url': url, 'git-branch': branch }: Settings): string {
  const plain = url
    .toLowerCase()
    .replace(/^[a-z]+:\/\/(?:[^/@]*@)?/, '')
    .replace(/^[^/@]*@([^/:]+):/, '$1/')
    .replace(/(?:\.git)?\/*$/, '');
  return `${plain} ${branch}`;
}

function overlap(one: Settings, other: Settings): boolean {
  if (remoteOf(one) !== remoteOf(other)) return false;
  const parts = (path: string): string =>
    `/${path
      .split('/')
      .filter((part) => part !== '' && part !== '.')
      .join('/')}/`.replace('//', '/');
  const [a, b] = [parts(one['git-path']), parts(other['git-path'])];
  return a.startsWith(b) || b.startsWith(a);
}
