import { isRecord } from '../lib/json.ts';
import { keyOf } from '../lib/key.ts';
import { own } from '../lib/own.ts';
import { type Document, Lexer, parseDocument } from 'yaml';
import { asRevision, type Revision } from '../git/repo.ts';
import { AgentError, messageOf } from '../lib/errors.ts';
import { tellDuplicates } from '../manifest/read-yaml.ts';
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

/** A release that somebody took back before it was judged to the end. */
export interface WithdrawnEntry {
  readonly releaseId: string;
  readonly revision: Revision;
  readonly at: string;
  readonly images: Readonly<Record<string, string>>;
  /** The commit that took it back. */
  readonly takenBackAt: string;
}

/** An image that a person picked by going back: no policy moves it on while it stands there. Removing the entry lets it go. */
export interface HoldEntry {
  readonly container: string;
  /** As it is written. */
  readonly image: string;
  /** What stood there before. */
  readonly instead: string;
  readonly at: string;
  /** The commit that went back. */
  readonly revision: string;
  /** Who made it; empty: not known. */
  readonly by: string;
}

/** A state that an analysis promoted; as in `StableEntry`. */
export type ProvenEntry = Pick<StableEntry, 'releaseId' | 'at' | 'templateHash' | 'configs' | 'content'>;

/** When an app left Git. */
export interface RemovedEntry {
  readonly revision: Revision;
  readonly at: string;
  /** Who removed it; absent: not known. */
  readonly by?: string;
}

export interface Ledger {
  readonly stable?: StableEntry;
  readonly quarantine: readonly QuarantineEntry[];
  /** Absent: the app is in Git. */
  readonly removed?: RemovedEntry;
  /** Releases that somebody took back before they were judged to the end. */
  readonly withdrawn?: readonly WithdrawnEntry[];
  /** Absent: there are none. */
  readonly holds?: readonly HoldEntry[];
  /** States that an analysis promoted, oldest first. Absent: there are none, or they are not kept. */
  readonly proven?: readonly ProvenEntry[];
}

export const apiVersion = 'serin.dev/v1';

export function ledgerFolder({ path, ledgerDir }: { readonly path: string; readonly ledgerDir: string }): string {
  return path === '' ? ledgerDir : `${path}/${ledgerDir}`;
}

export function ledgerPath(settings: { readonly path: string; readonly ledgerDir: string }, app: AppId): string {
  return `${ledgerFolder(settings)}/${keyOf(app)}.yaml`;
}

/** A ledger's text as YAML reads it. */
export interface LedgerText {
  /** What an edit changes. */
  readonly document: Document;
  /** What it said before. */
  readonly value: unknown;
}

/** Throws MANIFEST_INVALID with file and reason. */
export function parseLedger(path: string, text: string): Ledger {
  return ledgerOf(path, readLedgerText(path, text).value);
}

/** In characters. Sixty entries with ten images each have a fifth of that. */
export const maxLedgerLength = 512 * 1024;
/** Words and signs of YAML, each of which costs something: sixty such entries have less than half of that. */
const maxTokens = 20_000;
/** Each is looked for in the whole text. */
const maxAliases = 100;

/**
 * Why a text is more than a ledger can be; undefined where it is not. Stops where that is certain: whoever may write to the repository may write
 * a ledger, and it is read where everybody else waits.
 */
export function ledgerExcess(text: string): string | undefined {
  if (text.length > maxLedgerLength) return `is larger than ${maxLedgerLength / 1024} KiB`;
  let tokens = 0;
  let aliases = 0;
  for (const token of new Lexer().lex(text)) {
    if (++tokens > maxTokens) return `has more than ${maxTokens} words and signs`;
    if (token.startsWith('*') && ++aliases > maxAliases) return `has more than ${maxAliases} aliases`;
  }
  return undefined;
}

/** Throws MANIFEST_INVALID where the text is no YAML, or more of it than a ledger can be. */
export function readLedgerText(path: string, text: string): LedgerText {
  const excess = ledgerExcess(text);
  if (excess !== undefined) throw invalidLedger(path, excess);
  // Keys that are written twice are told apart below: the parser's own search compares each with all others.
  const document = parseDocument(text, { uniqueKeys: false });
  tellDuplicates(document.contents, document.errors);
  const [error] = document.errors;
  if (error) {
    const reason = `is not readable as YAML: ${error.message.split('\n')[0] ?? ''}`;
    throw invalidLedger(path, reason, error.linePos?.[0].line ?? text.slice(0, error.pos[0]).split('\n').length);
  }
  try {
    // An alias without its anchor, or very many, only fail here.
    return { document, value: document.toJS({ maxAliasCount: 100 }) };
  } catch (cause) {
    throw invalidLedger(path, `is not readable as YAML: ${messageOf(cause)}`);
  }
}

function invalidLedger(path: string, what: string, line = 1): AgentError {
  return new AgentError('MANIFEST_INVALID', `${path}:${line} the ledger ${what}; restore it from Git's history`);
}

/** Throws MANIFEST_INVALID where the value is no ledger. */
export function ledgerOf(path: string, value: unknown): Ledger {
  if (!isRecord(value)) throw invalidLedger(path, 'is no map');
  if (value['apiVersion'] !== apiVersion)
    throw invalidLedger(path, `is of version ${String(value['apiVersion'])}, not ${apiVersion}`);
  const { quarantine } = value;
  const stable = value['stable'] ?? undefined;
  if (stable !== undefined && !hasTexts(stable, ['releaseId', 'revision', 'content']))
    throw invalidLedger(path, 'has a stable state without releaseId, revision or content');
  const entries = quarantine ?? [];
  // A person who bans a version by hand knows its images, no hashes.
  const isEntry = (entry: unknown): boolean =>
    isRecord(entry) && (hasTexts(entry, ['content']) || isRecord(entry['images']));
  if (!Array.isArray(entries) || !entries.every(isEntry))
    throw invalidLedger(path, 'has a quarantine entry without content and without images');
  return {
    ...(stable === undefined ? {} : { stable: stableOf(stable) }),
    quarantine: entries.map((entry: Record<string, unknown>) => quarantineOf(entry)),
    ...(Array.isArray(value['withdrawn']) ? { withdrawn: value['withdrawn'].filter(isRecord).map(withdrawnOf) } : {}),
    ...(Array.isArray(value['holds']) ? { holds: value['holds'].filter(isRecord).map(holdOf) } : {}),
    ...(Array.isArray(value['proven']) ? { proven: value['proven'].filter(isRecord).map(provenOf) } : {}),
    ...(isRecord(value['removed']) ? { removed: removedOf(value['removed']) } : {}),
  };
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
    return listed.length > 0 && listed.every(([container, image]) => own(state.images, container) === image);
  };
  const entry = quarantine.findLast((candidate) => names(candidate) && !isLapsed(candidate, nowMs));
  return entry && (entry.reason === '' ? 'in quarantine' : entry.reason);
}

export function isLapsed({ expires }: QuarantineEntry, nowMs: number): boolean {
  return expires !== undefined && Date.parse(expires) < nowMs;
}

/** Whether the outcome of this release is in the ledger already. */
export function holdsRelease({ stable, quarantine, withdrawn = [] }: Ledger, releaseId: string): boolean {
  return (
    stable?.releaseId === releaseId || [...quarantine, ...withdrawn].some((entry) => entry.releaseId === releaseId)
  );
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

function provenOf(value: Record<string, unknown>): ProvenEntry {
  return {
    releaseId: textOf(value['releaseId']),
    at: textOf(value['at']),
    templateHash: textOf(value['templateHash']),
    configs: textsOf(value['configs']),
    content: textOf(value['content']),
  };
}

function withdrawnOf(value: Record<string, unknown>): WithdrawnEntry {
  return {
    releaseId: textOf(value['releaseId']),
    revision: asRevision(textOf(value['revision'])),
    at: textOf(value['at']),
    images: textsOf(value['images']),
    takenBackAt: textOf(value['takenBackAt']),
  };
}

function holdOf(value: Record<string, unknown>): HoldEntry {
  const [container = '', image = '', instead = '', at = '', revision = '', by = ''] = [
    'container',
    'image',
    'instead',
    'at',
    'revision',
    'by',
  ].map((name) => textOf(value[name]));
  return { container, image, instead, at, revision, by };
}

/** The hold on an image that stands there; undefined: none. */
export const heldBy = (
  { holds = [] }: Pick<Ledger, 'holds'>,
  container: string,
  image: string,
): HoldEntry | undefined => holds.findLast((hold) => hold.container === container && hold.image === image);

function removedOf(value: Record<string, unknown>): RemovedEntry {
  const by = textOf(value['by']);
  return { revision: asRevision(textOf(value['revision'])), at: textOf(value['at']), ...(by === '' ? {} : { by }) };
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

function hasTexts(value: unknown, fields: readonly string[]): value is Record<string, unknown> {
  return isRecord(value) && fields.every((field) => typeof value[field] === 'string');
}

const textOf = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : '';

const textsOf = (value: unknown): Record<string, string> =>
  isRecord(value) ? Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, textOf(entry)])) : {};
