import { isDeepStrictEqual } from 'node:util';
import { type Document, parseDocument, stringify } from 'yaml';
import { asRevision, type Revision } from '../git/repo.ts';
import { AgentError, messageOf } from '../lib/errors.ts';
import type { AppId, AppState } from './types.ts';

/** What was last promoted, or found when the app was first seen (then `release` is 0). */
export interface StableEntry {
  readonly release: number;
  readonly releaseId: string;
  readonly revision: Revision;
  /** RFC 3339, UTC. */
  readonly at: string;
  readonly images: Readonly<Record<string, string>>;
  readonly templateHash: string;
  readonly configs: Readonly<Record<string, string>>;
  readonly content: string;
}

/** A version that was rejected. Texts are empty where a person wrote the entry and left them out. */
export interface QuarantineEntry {
  readonly releaseId: string;
  /** The commit at which it was judged. */
  readonly revision: Revision;
  readonly at: string;
  readonly images: Readonly<Record<string, string>>;
  readonly templateHash: string;
  readonly content: string;
  readonly failedCheck: string;
  readonly reason: string;
  /** Until when it counts, RFC 3339; absent or unreadable: for good. */
  readonly expires?: string;
}

export interface Ledger {
  readonly stable?: StableEntry;
  readonly quarantine: readonly QuarantineEntry[];
}

const apiVersion = 'serin.dev/v1';
/** Older entries are in Git's history. */
const maxQuarantine = 50;

export function ledgerFolder({ path, ledgerDir }: { readonly path: string; readonly ledgerDir: string }): string {
  return path === '' ? ledgerDir : `${path}/${ledgerDir}`;
}

export function ledgerPath(
  settings: { readonly path: string; readonly ledgerDir: string },
  { namespace, name }: AppId,
): string {
  return `${ledgerFolder(settings)}/${namespace}/${name}.yaml`;
}

/** Throws MANIFEST_INVALID with file and reason. */
export function parseLedger(path: string, text: string): Ledger {
  const invalid = (what: string): AgentError =>
    new AgentError('MANIFEST_INVALID', `${path}:1 the ledger ${what}; restore it from Git's history`);
  const value = valueOf(documentOf(path, text), invalid);
  if (!isRecord(value)) throw invalid('is no map');
  if (value['apiVersion'] !== apiVersion)
    throw invalid(`is of version ${String(value['apiVersion'])}, not ${apiVersion}`);
  const { quarantine } = value;
  const stable = value['stable'] ?? undefined;
  if (stable !== undefined && !hasTexts(stable, ['releaseId', 'revision', 'content']))
    throw invalid('has a stable state without releaseId, revision or content');
  const entries = quarantine ?? [];
  // A person who bans a version by hand knows its images, no hashes.
  const isEntry = (entry: unknown): boolean =>
    isRecord(entry) && (hasTexts(entry, ['content']) || isRecord(entry['images']));
  if (!Array.isArray(entries) || !entries.every(isEntry))
    throw invalid('has a quarantine entry without content and without images');
  return {
    ...(stable === undefined ? {} : { stable: stableOf(stable) }),
    quarantine: entries.map((entry: Record<string, unknown>) => quarantineOf(entry)),
  };
}

/** The ledger's text with a new stable state. What people wrote into it, comments and all, stays. */
export function withStable(app: AppId, path: string, text: string | undefined, entry: StableEntry): string {
  const document = text === undefined ? newDocument(app) : documentOf(path, text);
  const before = (document.toJS() as { stable?: unknown } | null)?.stable;
  if (!isRecord(before)) document.set('stable', document.createNode(entry));
  else {
    // Field by field, so that what people wrote beside them stays.
    for (const [field, value] of Object.entries(entry)) {
      if (isDeepStrictEqual(before[field], value)) continue;
      document.setIn(['stable', field], isRecord(value) ? document.createNode(value) : value);
    }
  }
  return written(document, text);
}

/** The ledger's text with one more version in quarantine. */
export function withQuarantine(app: AppId, path: string, text: string | undefined, entry: QuarantineEntry): string {
  const document = text === undefined ? newDocument(app) : documentOf(path, text);
  const length = ((document.toJS() as { quarantine?: unknown[] } | null)?.quarantine ?? []).length;
  if (length === 0) document.set('quarantine', document.createNode([entry]));
  else document.addIn(['quarantine'], document.createNode(entry));
  for (let surplus = length + 1 - maxQuarantine; surplus > 0; surplus -= 1) document.deleteIn(['quarantine', 0]);
  return written(document, text);
}

/**
 * Why a state is in quarantine; undefined where it is not (any more). Entries count by content; those that people wrote without one,
 * by the images (and the template hash) that they name.
 */
export function quarantineReason(
  { quarantine }: Ledger,
  state: Pick<AppState, 'content' | 'images' | 'templateHash'>,
  nowMs: number,
): string | undefined {
  const names = ({ content, images, templateHash }: QuarantineEntry): boolean => {
    if (content !== '') return content === state.content;
    const listed = Object.entries(images);
    if (templateHash !== '' && templateHash !== state.templateHash) return false;
    return listed.length > 0 && listed.every(([container, image]) => state.images[container] === image);
  };
  const entry = quarantine.findLast((candidate) => names(candidate) && !isLapsed(candidate, nowMs));
  return entry && (entry.reason === '' ? 'in quarantine' : entry.reason);
}

export function isLapsed({ expires }: QuarantineEntry, nowMs: number): boolean {
  return expires !== undefined && Date.parse(expires) < nowMs;
}

/** Whether the outcome of this release is in the ledger already. */
export function holdsRelease({ stable, quarantine }: Ledger, releaseId: string): boolean {
  return stable?.releaseId === releaseId || quarantine.some((entry) => entry.releaseId === releaseId);
}

/** With the mark and the line ends of the text before. */
function written(document: Document, before = ''): string {
  const text = document.toString({ lineWidth: 0 });
  const mark = before.startsWith('\uFEFF') ? '\uFEFF' : '';
  return mark + (before.includes('\r\n') ? text.replaceAll(/\r?\n/g, '\r\n') : text);
}

function newDocument({ namespace, name }: AppId): Document {
  const head = `# Releases of ${namespace}/${name}, written by Serin. "stable" is what was last promoted.\n# A version in quarantine is not tried again by an image policy; remove its entry to lift that.\n`;
  return parseDocument(head + stringify({ apiVersion, kind: 'Ledger', app: `${namespace}/${name}` }));
}

/** An alias without its anchor, or very many, only fail here. */
function valueOf(document: Document, invalid: (what: string) => AgentError): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw invalid(`is not readable as YAML: ${messageOf(error)}`);
  }
}

function documentOf(path: string, text: string): Document {
  const document = parseDocument(text);
  const [error] = document.errors;
  if (error)
    throw new AgentError(
      'MANIFEST_INVALID',
      `${path}:${error.linePos?.[0].line ?? 1} the ledger is not readable as YAML: ${error.message.split('\n')[0] ?? ''}; restore it from Git's history`,
    );
  return document;
}

function stableOf(value: Record<string, unknown>): StableEntry {
  const { release, templateHash, at } = value;
  return {
    release: typeof release === 'number' ? release : 0,
    releaseId: String(value['releaseId']),
    revision: asRevision(String(value['revision'])),
    at: textOf(at),
    images: textsOf(value['images']),
    templateHash: textOf(templateHash),
    configs: textsOf(value['configs']),
    content: String(value['content']),
  };
}

function quarantineOf(value: Record<string, unknown>): QuarantineEntry {
  const { expires } = value;
  return {
    releaseId: textOf(value['releaseId']),
    revision: asRevision(textOf(value['revision'])),
    at: textOf(value['at']),
    images: textsOf(value['images']),
    templateHash: textOf(value['templateHash']),
    content: textOf(value['content']),
    failedCheck: textOf(value['failedCheck']),
    reason: textOf(value['reason']),
    ...(expires === undefined || expires === null ? {} : { expires: textOf(expires) }),
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function hasTexts(value: unknown, fields: readonly string[]): value is Record<string, unknown> {
  return isRecord(value) && fields.every((field) => typeof value[field] === 'string');
}

const textOf = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : '';

const textsOf = (value: unknown): Record<string, string> =>
  isRecord(value) ? Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, textOf(entry)])) : {};
