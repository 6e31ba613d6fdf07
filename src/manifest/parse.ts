import { type Document, isMap, isNode, isSeq, LineCounter, type YAMLError } from 'yaml';
import { atOnce } from '../lib/turns.ts';
import { readObjects } from './collect.ts';
import { splitDocuments } from './documents.ts';
import { readYaml, valueOf } from './read-yaml.ts';
import { mayHoldPlaceholders } from './placeholders.ts';
import { isEmptyDocument, type KnownText, knownText, type Stray } from './stray.ts';
import type { Manifest, Problem } from './types.ts';

export interface ParsedFile {
  readonly manifests: readonly Manifest[];
  readonly problems: readonly Problem[];
  /** Text of the documents with errors: objects named in it must not be taken for deleted. Empty where all could be read. */
  readonly unreadableText: string;
  /** The first of the documents that are neither objects nor empty, if there is one. */
  readonly stray: Stray | undefined;
}

/**
 * All Kubernetes objects of one YAML or JSON file, read as kubectl reads them. A document that cannot be read costs only itself;
 * documents without `apiVersion` and `kind` are something else (values, settings) and are passed over: see `stray`.
 */
export function parseManifests(path: string, text: string): ParsedFile {
  return atOnce(parsing(path, text));
}

/** As `parseManifests`; yields after each document, so that it can be done in turns. */
export function* parsing(path: string, text: string): Generator<void, ParsedFile> {
  const content = text.replace(/^\uFEFF/, '');
  const manifests: Manifest[] = [];
  const problems: Problem[] = [];
  let unreadableText = '';
  let stray: Stray | undefined;
  const take = (
    value: unknown,
    document: number,
    lineAt: (item?: number) => number,
    source: string,
    linesBefore: number,
  ): void => {
    if ((value ?? null) === null && isEmptyDocument(source)) return;
    let lines: readonly string[] | undefined;
    const lineOf = (text: string, from: number): number =>
      from + indexOf((lines ??= source.split('\n')), text, from - linesBefore - 1);
    const mayHold = mayHoldPlaceholders(source);
    const found = readObjects(value, { path, document, lineAt, lineOf, mayHoldPlaceholders: mayHold });
    manifests.push(...found.manifests);
    problems.push(...found.problems);
    if (found.stray !== undefined) {
      const line = lineAt();
      const text = typeof value === 'string' ? knownText(source) : undefined;
      stray ??= { line, what: text?.what ?? found.stray };
      if (text) problems.push(textProblem(path, line, text));
    }
    if (found.problems.some(({ severity }) => severity === 'error')) unreadableText += source;
  };
  const json = path.toLowerCase().endsWith('.json') ? readJson(content) : undefined;
  if (json !== undefined) {
    take(json, 0, () => 1, content, 0);
    return { manifests, problems, unreadableText, stray };
  }
  let document = 0;
  for (const part of splitDocuments(content)) {
    for (const read of readDocuments(part.text)) {
      if (read.kind === 'unreadable') {
        const problem = unreadable(path, part.linesBefore + read.line, read.reason, part.text);
        problems.push(problem);
        // Where it held objects, it is an error all the same.
        if (problem.severity === 'warning') stray ??= { line: problem.line, what: 'holds no YAML any more' };
        unreadableText += part.text;
      } else take(read.value, document, (item) => part.linesBefore + read.lineAt(item), part.text, part.linesBefore);
      document += 1;
    }
    yield;
  }
  return { manifests, problems, unreadableText, stray };
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
  return readYaml(text, { lines }).map((document): ReadDocument => {
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

function unreadable(path: string, line: number, reason: string, text: string): Problem {
  // What never was a Kubernetes object is not worth an error.
  const message = `not readable as ${path.toLowerCase().endsWith('.json') ? 'JSON' : 'YAML'}: ${reason}`;
  const hint = hintOf(text);
  if (/\bapiVersion\b/.test(text)) return { severity: 'error', path, line, message, hint: hint ?? keptHint };
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
