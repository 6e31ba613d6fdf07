import { isRecord } from '../lib/json.ts';
import { isDeepStrictEqual } from 'node:util';
import { type Document, isMap, isScalar, isSeq, stringify } from 'yaml';
import { isPlain } from '../canary/secret-checksums.ts';
import { keyOf } from '../lib/key.ts';
import {
  apiVersion,
  type HoldEntry,
  type Ledger,
  ledgerOf,
  ledgerExcess,
  type LedgerText,
  type ProvenEntry,
  type QuarantineEntry,
  type RemovedEntry,
  readLedgerText,
  type StableEntry,
  type WithdrawnEntry,
} from './ledger.ts';
import type { AppId } from './types.ts';

/** Older entries are in Git's history. */
const maxQuarantine = 50;
const maxWithdrawn = 10;
const maxHolds = 10;
const maxProven = 10;

/** A ledger as it stands in Git, read when it is asked for the first time, and once. */
export class LedgerFile {
  readonly path: string;
  readonly text: string;
  #read: LedgerText | undefined;
  #ledger: Ledger | undefined;

  constructor(path: string, text: string) {
    this.path = path;
    this.text = text;
  }

  /** Reads at once: throws MANIFEST_INVALID with file and reason where the text is no ledger. */
  static parse(path: string, text: string): LedgerFile {
    const file = new LedgerFile(path, text);
    file.#parse();
    return file;
  }

  get ledger(): Ledger {
    return this.#ledger ?? this.#parse();
  }

  #parse(): Ledger {
    this.#read ??= readLedgerText(this.path, this.text);
    this.#ledger = ledgerOf(this.path, this.#read.value);
    return this.#ledger;
  }

  /** For one edit, which changes the document. */
  take(): LedgerText {
    const read = this.#read ?? readLedgerText(this.path, this.text);
    this.#read = undefined;
    return read;
  }
}

/**
 * The ledger's text with a new stable state. What people wrote into it, comments and all, stays. `proof`: it was promoted by an analysis, and that is
 * kept for whoever goes back to it.
 */
export function withStable(app: AppId, file: LedgerFile | undefined, entry: StableEntry, proof?: ProvenEntry): string {
  if (!file) return newText(app, { stable: entry, ...(proof ? { proven: [proof] } : {}) });
  const { document, value } = file.take();
  document.delete('removed');
  const before = isRecord(value) ? value['stable'] : undefined;
  if (!isRecord(before)) document.set('stable', document.createNode(entry));
  else {
    // Field by field, so that what people wrote beside them stays.
    for (const [field, now] of Object.entries(entry)) {
      if (isDeepStrictEqual(before[field], now)) continue;
      document.setIn(['stable', field], isRecord(now) ? document.createNode(now) : now);
    }
  }
  const text = written(document, file.text);
  if (!proof) return text;
  const others = (file.ledger.proven ?? []).filter(({ content }) => content !== proof.content);
  document.set('proven', document.createNode([...others, proof].slice(-maxProven)));
  const whole = written(document, file.text);
  return ledgerExcess(whole) === undefined ? whole : text;
}

/** The ledger's text with one more release that was taken back. */
export function withWithdrawn(file: LedgerFile, entry: WithdrawnEntry): string {
  return withItem(file, 'withdrawn', entry, maxWithdrawn);
}

/** The ledger's text of an app that has left Git. What was promoted and rejected stays in it. */
export function withRemoved(file: LedgerFile, entry: RemovedEntry): string {
  const { document } = file.take();
  document.set('removed', document.createNode(entry));
  return written(document, file.text);
}

/** The ledger's text with one more version in quarantine. */
export function withQuarantine(app: AppId, file: LedgerFile | undefined, entry: QuarantineEntry): string {
  if (!file) return newText(app, { quarantine: [entry] });
  return withItem(file, 'quarantine', entry, maxQuarantine);
}

/** The ledger's text with one more image that a person picked. */
export function withHold(app: AppId, file: LedgerFile | undefined, entry: HoldEntry): string {
  if (!file) return newText(app, { holds: [entry] });
  return withItem(file, 'holds', entry, maxHolds);
}

/** The ledger's text without the holds that are meant. */
export function withoutHolds(file: LedgerFile, isMeant: (hold: HoldEntry) => boolean): string {
  const { holds = [] } = file.ledger;
  const { document, value } = file.take();
  const listed = isRecord(value) && Array.isArray(value['holds']) ? value['holds'] : [];
  // What is no entry is passed over where holds are read, so places are counted of the entries.
  const places = listed.flatMap((entry, at) => (isRecord(entry) ? [at] : []));
  for (const [at, hold] of [...holds.entries()].toReversed())
    if (isMeant(hold)) document.deleteIn(['holds', places[at]]);
  const left = document.getIn(['holds']);
  if (isSeq(left) && left.items.length === 0) document.delete('holds');
  return written(document, file.text);
}

function withItem(
  file: LedgerFile,
  list: string,
  entry: QuarantineEntry | WithdrawnEntry | HoldEntry,
  most: number,
): string {
  const { document, value } = file.take();
  const before = isRecord(value) ? value[list] : undefined;
  const length = Array.isArray(before) ? before.length : 0;
  if (length === 0) document.set(list, document.createNode([entry]));
  else document.addIn([list], document.createNode(entry));
  let left = length + 1;
  const keep = (count: number): void => {
    for (; left > count; left -= 1) document.deleteIn([list, 0]);
  };
  keep(most);
  let text = written(document, file.text);
  // What is written must be read again: of versions with very many images fewer are kept.
  while (left > 1 && ledgerExcess(text) !== undefined) {
    keep(Math.ceil(left / 2));
    text = written(document, file.text);
  }
  return text;
}

/** With the mark and the line ends of the text before. What former agents wrote of Secrets goes: it can be guessed from. */
function written(document: Document, before: string): string {
  const configs = document.getIn(['stable', 'configs']);
  for (const { key, value } of isMap(configs) ? [...configs.items] : []) {
    const [name, checksum] = [isScalar(key) ? key.value : key, isScalar(value) ? value.value : value];
    if (isPlain(String(name), String(checksum))) document.deleteIn(['stable', 'configs', name]);
  }
  const text = document.toString({ lineWidth: 0 });
  const mark = before.startsWith('\uFEFF') ? '\uFEFF' : '';
  return mark + (before.includes('\r\n') ? text.replaceAll(/\r?\n/g, '\r\n') : text);
}

function newText(
  app: AppId,
  content:
    | { readonly stable: StableEntry; readonly proven?: readonly ProvenEntry[] }
    | { readonly quarantine: readonly QuarantineEntry[] }
    | { readonly holds: readonly HoldEntry[] },
): string {
  const head = `# Releases of ${keyOf(app)}, written by Serin. "stable" is what was last promoted.\n# A version in quarantine has failed. Who pushes it again has it tried again, and an event says that it failed before.\n`;
  return head + stringify({ apiVersion, kind: 'Ledger', app: keyOf(app), ...content }, { lineWidth: 0 });
}
