import {
  Composer,
  type CST,
  type Document,
  isCollection,
  isMap,
  isPair,
  isScalar,
  Lexer,
  type LineCounter,
  Parser,
  YAMLParseError,
} from 'yaml';
import { kubernetesScalars } from './scalars.ts';

export interface YamlReading {
  readonly lines?: LineCounter;
  /** For edits: tokens stay with the nodes, and integers that a number cannot hold are BigInts. */
  readonly forEdits?: boolean;
}

/** Aliases are counted while they are resolved: a few lines must not become gigabytes. */
const maxAliasCount = 1_000;

/** The documents of a text as kubectl reads them; each has its own errors. Ranges are UTF-16 indexes into the text. */
export function readYaml(text: string, { lines, forEdits = false }: YamlReading = {}): readonly Document.Parsed[] {
  const composer = new Composer({
    merge: true,
    stringKeys: true,
    // Its own search compares each key with all others: see `tellDuplicates`.
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: 'silent',
    keepSourceTokens: forEdits,
    customTags: (tags) => [...kubernetesScalars(forEdits), ...tags],
  });
  const documents = [...composer.compose(tokensOf(text, lines))] as Document.Parsed[];
  for (const { contents, errors } of documents) tellDuplicates(contents, errors);
  return documents;
}

function tellDuplicates(node: unknown, errors: YAMLParseError[]): void {
  if (isPair(node)) tellDuplicates(node.value, errors);
  if (!isCollection(node)) return;
  const keys = new Set<unknown>();
  for (const item of node.items) {
    tellDuplicates(item, errors);
    if (!isMap(node) || !isPair(item) || !isScalar(item.key)) continue;
    const { value, range, type } = item.key;
    // Several merges are one.
    if (value === '<<' && type === 'PLAIN') continue;
    if (keys.has(value))
      errors.push(
        new YAMLParseError(
          [range?.[0] ?? 0, range?.[1] ?? 0],
          'DUPLICATE_KEY',
          `Map keys must be unique: ${String(value)}`,
        ),
      );
    keys.add(value);
  }
}

/** A document as plain values, aliases resolved; throws where an alias leads nowhere or multiplies. */
export const valueOf = (document: Document.Parsed): unknown => document.toJS({ maxAliasCount }) as unknown;

function* tokensOf(text: string, lines: LineCounter | undefined): Generator<CST.Token> {
  const parser = new Parser(lines?.addNewLine);
  lines?.addNewLine(0);
  for (const lexeme of createLexer().lex(text)) yield* parser.next(lexeme);
  yield* parser.end();
}

type LexerState = 'parseFlowCollection' | 'parseQuotedScalar';

/** Quotes and brackets may go on at any indentation for kubectl; YAML asks for more than that of their key. */
function createLexer(): Lexer {
  const lexer = new Lexer();
  const states = lexer as unknown as Record<LexerState, () => Generator<string, unknown>> & { indentNext: number };
  for (const name of ['parseFlowCollection', 'parseQuotedScalar'] as const) {
    const state = states[name];
    states[name] = function* () {
      const { indentNext } = states;
      states.indentNext = 0;
      const next = yield* state.call(states);
      states.indentNext = indentNext;
      return next;
    };
  }
  return lexer;
}
