import { isObject } from '../manifest/edit-value.ts';
import { cutDocuments } from '../manifest/documents.ts';
import { readYaml, valueOf } from '../manifest/read-yaml.ts';

/** How SOPS has written a file. `binary`: any content, as one value of a JSON file. */
export type SopsFormat = 'yaml' | 'json' | 'dotenv' | 'ini' | 'binary';

/** A part of a file that SOPS decrypts at once, or that is not encrypted. */
interface SopsPart {
  readonly text: string;
  readonly isEncrypted: boolean;
}

/** A file, or parts of it, as SOPS has written it. */
export interface SopsFile {
  readonly format: SopsFormat;
  /** Joined, they are the file but for keys that are left out: see `keysLeftOut`. */
  readonly parts: readonly SopsPart[];
}

/** Kinds of keys for which SOPS asks a server, by the names that it writes. */
const remoteKeys = ['kms', 'gcp_kms', 'azure_kv', 'hc_vault', 'hckms'] as const;
export type RemoteKeys = (typeof remoteKeys)[number];

/** More than a cluster stores in three objects. */
const mostBytes = 4 * 1024 * 1024;
const mostMetadata = 256 * 1024;
const mostParts = 50;

const known = new Set(
  `age pgp lastmodified mac version mac_only_encrypted shamir_threshold key_groups unencrypted_suffix encrypted_suffix
  unencrypted_regex encrypted_regex unencrypted_comment_regex encrypted_comment_regex`.split(/\s+/),
);

/** Undefined: it is not encrypted. Whoever only has a field `sops` of his own is not taken for it. */
export function sopsFormatOf(path: string, content: Uint8Array): SopsFormat | undefined {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.length);
  // Most files are told from it so, without their text.
  if (!bytes.includes('sops')) return undefined;
  const text = bytes.toString('utf8');
  const [, extension = ''] = /\.([A-Za-z]+)$/.exec(path) ?? [];
  if (/^ya?ml$/i.test(extension)) return isYaml(text) ? 'yaml' : isJson(text) ? 'json' : undefined;
  if (/^json$/i.test(extension)) return isJson(text) ? 'json' : undefined;
  if (/^sops_mac=/m.test(text)) return 'dotenv';
  if (/^\[sops\]\s*$/m.test(text) && /^mac\s*=/m.test(text)) return 'ini';
  if (isYaml(text)) return 'yaml';
  return isJson(text) ? 'binary' : undefined;
}

/** As it is given to SOPS. `asked`: kinds of keys for which a server may be asked. A text says why it is not. */
export function sopsFile(format: SopsFormat, content: Uint8Array, asked: ReadonlySet<RemoteKeys>): SopsFile | string {
  if (content.length > mostBytes) return `it is larger than ${mostBytes / 1024 / 1024} MiB`;
  const text = Buffer.from(content.buffer, content.byteOffset, content.length)
    .toString('utf8')
    .replace(/^\uFEFF/, '');
  if (format === 'yaml') return yamlFile(text, asked);
  const stripped = format === 'json' || format === 'binary' ? jsonText(text, asked) : linesText(text, format, asked);
  return typeof stripped === 'string' ? stripped : { format, parts: [{ text: stripped.text, isEncrypted: true }] };
}

// Of one line each: what reaches over lines would look at every blank one again from each of them.
const isYaml = (text: string): boolean => /^sops:/m.test(text) && /^[ \t]+(?:mac|lastmodified):/m.test(text);

function isJson(text: string): boolean {
  if (!text.includes('"sops"') || !/^\s*\{/.test(text)) return false;
  // It is refused for its length.
  if (text.length > mostBytes) return text.includes('ENC[AES256_GCM,');
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) && isMetadata(value['sops']);
  } catch {
    return false;
  }
}

const isMetadata = (value: unknown): boolean =>
  isObject(value) && (value['mac'] !== undefined || value['lastmodified'] !== undefined);

/** A file that SOPS encrypted as a whole has one checksum; where documents were put together each has its own. */
function yamlFile(text: string, asked: ReadonlySet<RemoteKeys>): SopsFile | string {
  const documents = cutDocuments(text);
  const parts: SopsPart[] = [];
  const macs = new Set<string>();
  for (const document of documents) {
    if (!isYaml(document)) {
      parts.push({ text: document, isEncrypted: false });
      continue;
    }
    const part = yamlDocument(document, asked);
    if (typeof part === 'string') return part;
    macs.add(part.mac);
    parts.push({ text: part.text, isEncrypted: true });
    if (parts.length > mostParts) return `it holds more than ${mostParts} encrypted documents`;
  }
  if (macs.size === 1 && parts.every((part) => part.isEncrypted || isBlank(part)))
    return { format: 'yaml', parts: [{ text: parts.map((part) => part.text).join(''), isEncrypted: true }] };
  return { format: 'yaml', parts };
}

/** Nothing but comments. */
function isBlank({ text }: SopsPart): boolean {
  const content = text.startsWith('---') ? text.slice(3) : text;
  return content.split('\n').every((line) => /^(?:#|$)/.test(line.trim()));
}

/** With what stands in its metadata, without keys for which nobody may be asked. */
function yamlDocument(
  text: string,
  asked: ReadonlySet<RemoteKeys>,
): { readonly text: string; readonly mac: string } | string {
  const lines = text.split('\n');
  const start = lines.findIndex((line) => line.startsWith('sops:'));
  // One that is written otherwise as well would be read instead.
  if (
    lines.some((line, at) => at !== start && /^(?:sops|["']sops["']|\?)\s*:?/.test(line) && !line.startsWith('sops_'))
  )
    return 'its field sops is written in an unusual way';
  let end = lines.findIndex((line, at) => at > start && /^[^\s#]/.test(line));
  if (end < 0) end = lines.length;
  const metadata = lines.slice(start, end);
  const indent = /^ +(?=[\w"'])/.exec(metadata[1] ?? '')?.[0] ?? '';
  const kept: string[] = [];
  let isLeftOut = false;
  for (const line of metadata) {
    const [, field] = new RegExp(`^${indent}([A-Za-z_]+):`).exec(line) ?? [];
    if (field !== undefined) isLeftOut = isRemote(field) && !asked.has(field);
    if (!isLeftOut) kept.push(line);
  }
  const section = kept.join('\n');
  if (section.length > mostMetadata) return 'it is encrypted for too many keys';
  const value = yamlValue(section);
  const sops = isObject(value) ? value['sops'] : undefined;
  const wrong = isObject(sops) ? wrongIn(sops, asked) : 'its field sops cannot be read';
  if (wrong !== undefined) return wrong;
  const mac = isObject(sops) && typeof sops['mac'] === 'string' ? sops['mac'] : '';
  return { text: [...lines.slice(0, start), ...kept, ...lines.slice(end)].join('\n'), mac };
}

function yamlValue(text: string): unknown {
  try {
    const [document, ...more] = readYaml(text);
    return document && more.length === 0 && document.errors.length === 0 ? valueOf(document) : undefined;
  } catch {
    return undefined;
  }
}

function jsonText(text: string, asked: ReadonlySet<RemoteKeys>): { readonly text: string } | string {
  const value = JSON.parse(text) as Record<string, unknown>;
  const sops = value['sops'];
  if (!isObject(sops)) return 'its field sops cannot be read';
  const kept = Object.fromEntries(Object.entries(sops).filter(([field]) => !isRemote(field) || asked.has(field)));
  const wrong = wrongIn(kept, asked);
  if (wrong !== undefined) return wrong;
  return Object.keys(kept).length === Object.keys(sops).length
    ? { text }
    : { text: JSON.stringify({ ...value, sops: kept }) };
}

/** In these every field of the metadata is a line. */
function linesText(
  text: string,
  format: 'dotenv' | 'ini',
  asked: ReadonlySet<RemoteKeys>,
): { readonly text: string } | string {
  const prefix = format === 'dotenv' ? 'sops_' : '';
  const lines = text.split('\n');
  const start = format === 'dotenv' ? 0 : lines.findIndex((line) => /^\[sops\]\s*$/.test(line));
  const kept = lines.filter((line, at) => {
    if (at < start || !line.startsWith(prefix)) return true;
    const [, field = ''] = /^([a-z_]+?)__/.exec(line.slice(prefix.length)) ?? [];
    return !isRemote(field) || asked.has(field);
  });
  const remote = kept.some(
    (line) => /^(?:sops_)?key_groups__/.test(line) && remoteKeys.some((field) => line.includes(`${field}__`)),
  );
  return remote
    ? `it is encrypted for groups of keys, of which servers would have to be asked`
    : { text: kept.join('\n') };
}

const isRemote = (field: string): field is RemoteKeys => (remoteKeys as readonly string[]).includes(field);

function wrongIn(sops: Readonly<Record<string, unknown>>, asked: ReadonlySet<RemoteKeys>): string | undefined {
  const strange = Object.keys(sops).find((field) => !known.has(field) && !(isRemote(field) && asked.has(field)));
  if (strange !== undefined) return `its field sops.${strange.slice(0, 60)} is not known`;
  const { key_groups: groups } = sops;
  const isAsked = (field: string): boolean =>
    field === 'age' || field === 'pgp' || (isRemote(field) && asked.has(field));
  const inGroups = Array.isArray(groups)
    ? groups.flatMap((group) => (isObject(group) ? Object.entries(group) : []))
    : [];
  const remote = inGroups.find(([field, keys]) => !isAsked(field) && !(Array.isArray(keys) && keys.length === 0));
  return remote === undefined
    ? undefined
    : 'it is encrypted for groups of keys, of which servers would have to be asked';
}

/** The kinds of keys that a file is encrypted for and no server is asked for, as far as its metadata names them. */
export function namedRemoteKeys(content: Uint8Array): readonly RemoteKeys[] {
  const text = Buffer.from(content.buffer, content.byteOffset, Math.min(content.length, mostBytes)).toString('utf8');
  return remoteKeys.filter((field) =>
    [...text.matchAll(new RegExp(String.raw`^[ \t]*"?(?:sops_)?${field}"?(__|:)`, 'gm'))].some(
      ({ 0: found, 1: end, index }) => end === '__' || holdsKeys(text, index + found.length),
    ),
  );
}

/** Whether a list that is not empty stands here. */
function holdsKeys(text: string, at: number): boolean {
  const blank = /\s*\[?\s*/y;
  blank.lastIndex = at;
  blank.test(text);
  return text[blank.lastIndex] === '-' || text[blank.lastIndex] === '{';
}
