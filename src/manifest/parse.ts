import { type Document, isMap, isNode, isSeq, LineCounter, type YAMLError, YAMLParseError } from 'yaml';
import { addAll } from '../lib/add-all.ts';
import { atOnce } from '../lib/turns.ts';
import { readObjects } from './collect.ts';
import { type DocumentText, splitDocuments } from './documents.ts';
import { defaultLimits } from './limits.ts';
import { readYaml, valueOf } from './read-yaml.ts';
import { mayHoldPlaceholders } from './placeholders.ts';
import { isEmptyDocument, type KnownText, knownText, type Stray } from './stray.ts';
import type { Manifest, Problem } from './types.ts';
import { unreadWords } from './unread-words.ts';

export interface ParsedFile {
  readonly manifests: readonly Manifest[];
  readonly problems: readonly Problem[];
  /** Text of the documents with errors, as `unreadWords` keeps it: objects named in it must not be taken for deleted. Empty where all could be read. */
  readonly unreadableText: string;
  /** The first of the documents that are neither objects nor empty, if there is one. */
  readonly stray: Stray | undefined;
  /** Something in it is encrypted with SOPS, and is told among the problems. Absent: nothing is. */
  readonly isEncrypted?: true;
}

/**
 * All Kubernetes objects of one YAML or JSON file, read as kubectl reads them. A document that cannot be read costs only itself;
 * documents without `apiVersion` and `kind` are something else (values, settings) and are passed over: see `stray`.
 */
export function parseManifests(path: string, text: string, limits = defaultLimits): ParsedFile {
  return atOnce(parsing(path, text, limits));
}

/** As `parseManifests`; yields after each document, so that it can be done in turns. */
export function* parsing(
  path: string,
  text: string,
  limits = defaultLimits,
  /** A program made the text, so nothing in it is left to be filled in. */
  isRendered = false,
): Generator<void, ParsedFile> {
  const content = text.replace(/^\uFEFF/, '');
  const manifests: Manifest[] = [];
  const problems: Problem[] = [];
  let unreadableText = '';
  let stray: Stray | undefined;
  let isEncrypted = false;
  let broken: Part | undefined;
  /** Once, however many documents of it cannot be read. */
  const keepText = (part: Part): void => {
    if (broken !== part) unreadableText += part.text;
    broken = part;
  };
  const take = (value: unknown, document: number, lineAt: (item?: number) => number, part: Part): void => {
    if ((value ?? null) === null && part.isEmpty()) return;
    const { text: source, linesBefore } = part;
    const lineOf = (text: string, from: number): number => from + indexOf(part.lines(), text, from - linesBefore - 1);
    const mayHold = !isRendered && part.mayHoldPlaceholders();
    const place = { path, document, lineAt, lineOf, mayHoldPlaceholders: mayHold, maxLength: limits.objectLength };
    const found = readObjects(value, place);
    addAll(manifests, found.manifests);
    addAll(problems, found.problems);
    isEncrypted ||= found.isEncrypted === true;
    if (found.stray !== undefined) {
      const line = lineAt();
      const text = typeof value === 'string' ? knownText(source) : undefined;
      stray ??= { line, what: text?.what ?? found.stray };
      if (text) problems.push(textProblem(path, line, text));
    }
    if (found.problems.some(({ severity }) => severity === 'error')) keepText(part);
  };
  const whole = (): ParsedFile => {
    const read = { manifests, problems, unreadableText: unreadWords(unreadableText), stray };
    return isEncrypted ? { ...read, isEncrypted } : read;
  };
  const json = path.toLowerCase().endsWith('.json') ? readJson(content) : undefined;
  if (json !== undefined) {
    take(json, 0, () => 1, partOf(content, 0));
    return whole();
  }
  let document = 0;
  for (const { text: written, linesBefore } of splitDocuments(content)) {
    const part = partOf(written, linesBefore);
    for (const read of readDocuments(part.text)) {
      if (read.kind === 'unreadable') {
        const problem = unreadable(path, part.linesBefore + read.line, read.reason, part);
        problems.push(problem);
        // Where it held objects, it is an error all the same.
        if (problem.severity === 'warning') stray ??= { line: problem.line, what: 'holds no YAML any more' };
        keepText(part);
      } else take(read.value, document, (item) => part.linesBefore + read.lineAt(item), part);
      document += 1;
    }
    yield;
  }
  return whole();
}

/** A part of a file that is read in one piece. It may hold many documents, so what is found out of its text is found out once. */
interface Part extends DocumentText {
  isEmpty(): boolean;
  lines(): readonly string[];
  mayHoldPlaceholders(): boolean;
  isMeant(): boolean;
  hint(): string | undefined;
}

function partOf(text: string, linesBefore: number): Part {
  const once = <Value>(find: () => Value): (() => Value) => {
    let found: { readonly value: Value } | undefined;
    return () => (found ??= { value: find() }).value;
  };
  return {
    text,
    linesBefore,
    isEmpty: once(() => isEmptyDocument(text)),
    lines: once(() => text.split('\n')),
    mayHoldPlaceholders: once(() => mayHoldPlaceholders(text)),
    isMeant: once(() => /\bapiVersion\b/.test(text)),
    hint: once(() => hintOf(text)),
  };
}

/** How many lines after `start` a text stands; 0 where it is not found nearby. */
function indexOf(lines: readonly string[], text: string, start: number): number {
  const end = Math.min(lines.length, start + 2_000);
  for (let at = start; at < end; at += 1) if (lines[at]?.includes(text) === true) return at - start;
  return 0;
}

/** An error where it is known never to be meant so; else it may be somebody's notes. */
function textProblem(path: string, line: number, { what, hint }: KnownText): Problem {
  const severity = hint === undefined ? 'warning' : 'error';
  return { severity, path, line, message: `the file ${what}`, ...(hint === undefined ? {} : { hint }) };
}

/** Quicker than YAML; what is no JSON is left to YAML, which can say where. */
function readJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

type ReadDocument =
  | { readonly kind: 'value'; readonly value: unknown; readonly lineAt: (item?: number) => number }
  | { readonly kind: 'unreadable'; readonly line: number; readonly reason: string };

function readDocuments(text: string): readonly ReadDocument[] {
  const lines = new LineCounter();
  const lineOf = (offset: number): number => lines.linePos(offset).line;
  let documents: ReturnType<typeof readYaml>;
  try {
    documents = readYaml(text, { lines });
  } catch (error) {
    if (!(error instanceof YAMLParseError)) throw error;
    return [{ kind: 'unreadable', line: lineOf(positionOf(error)), reason: error.message }];
  }
  return documents.map((document): ReadDocument => {
    const start = document.contents?.range?.[0] ?? document.range[0];
    const [error] = document.errors;
    if (error) return { kind: 'unreadable', line: lineOf(positionOf(error)), reason: error.message };
    try {
      const value = valueOf(document);
      return { kind: 'value', value, lineAt: (item) => lineOf(itemStart(document, item) ?? start) };
    } catch (cause) {
      return {
        kind: 'unreadable',
        line: lineOf(start),
        reason: cause instanceof Error ? cause.message : String(cause),
      };
    }
  });
}

const positionOf = (error: YAMLError): number => error.pos[0];

/** Where an item of a `kind: List` begins. */
function itemStart(document: Document.Parsed, item: number | undefined): number | undefined {
  if (item === undefined || !isMap(document.contents)) return undefined;
  const items: unknown = document.contents.get('items', true);
  const node: unknown = isSeq(items) ? items.items[item] : undefined;
  return isNode(node) ? node.range?.[0] : undefined;
}

function unreadable(path: string, line: number, reason: string, part: Part): Problem {
  // What never was a Kubernetes object is not worth an error.
  const message = `not readable as ${path.toLowerCase().endsWith('.json') ? 'JSON' : 'YAML'}: ${reason}`;
  const hint = part.hint();
  if (part.isMeant()) return { severity: 'error', path, line, message, hint: hint ?? keptHint };
  return {
    severity: 'warning',
    path,
    line,
    message,
    hint: hint ?? 'if it is no manifest, name the file in .serinignore',
  };
}

const keptHint = 'until it is corrected, the objects of this document stay in the cluster as they are';

function hintOf(text: string): string | undefined {
  if (/^(?:<<<<<<<|>>>>>>>) /m.test(text)) return 'resolve the merge conflict that is committed here';
  if (/\{\{[^{}]*\}\}/.test(text))
    return 'templates are not rendered: commit what they render to, or name the file in .serinignore';
  return undefined;
}
