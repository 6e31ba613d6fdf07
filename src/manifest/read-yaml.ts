import {
  type Alias,
  Composer,
  type CST,
  type Document,
  isAlias,
  isCollection,
  isMap,
  isPair,
  isNode,
  isScalar,
  Lexer,
  type LineCounter,
  Parser,
  Schema,
  type ScalarTag,
  visit,
  YAMLParseError,
} from 'yaml';
import { maxDepth } from './measure.ts';
import { kubernetesScalars } from './scalars.ts';

/** Shorter texts are never kept in pieces. */
const leastPieces = 13;

/**
 * The library puts quoted texts together letter by letter, and JavaScript keeps each letter as an object of 32 bytes until the text is looked
 * at as a whole: 15 MiB of quoted text took 500. This does so at once.
 */
function keepWhole(): void {
  const schema = new Schema({ schema: 'core' }) as unknown as Record<symbol, ScalarTag | undefined>;
  const tag = schema[Symbol.for('yaml.scalar')];
  if (!tag) throw new Error('this version of yaml reads texts in another way');
  tag.resolve = (text) => {
    if (text.length >= leastPieces) Buffer.byteLength(text);
    return text;
  };
}
keepWhole();

export interface YamlReading {
  readonly lines?: LineCounter;
  /** For edits: tokens stay with the nodes, and integers that a number cannot hold are BigInts. */
  readonly forEdits?: boolean;
}

/** Aliases are counted while they are resolved: a few lines must not become gigabytes. */
const maxAliasCount = 1_000;
/** In one text. Each alias is looked for among all anchors. */
const maxAliases = 5_000;
const maxAnchors = 10_000;

/**
 * The documents of a text as kubectl reads them; each has its own errors. Ranges are UTF-16 indexes into the text. Throws YAMLParseError where
 * the text is too deep to be followed, or has too many aliases.
 */
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

/** Adds an error for each key that is written twice in one map; in linear time. */
export function tellDuplicates(node: unknown, errors: YAMLParseError[]): void {
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
export function valueOf(document: Document.Parsed): unknown {
  resolveOnce(document);
  return document.toJS({ maxAliasCount }) as unknown;
}

/** Where aliases are counted, the parser searches the whole document for each of them. */
function resolveOnce(document: Document.Parsed): void {
  const anchors = new Map<string, unknown>();
  visit(document, {
    Node(_, node) {
      if (isAlias(node)) {
        const target = anchors.get(node.source);
        const resolve = node.resolve.bind(node);
        const quick: Alias['resolve'] = (of, context) =>
          context || !isNode(target) || isAlias(target)
            ? resolve(of, context)
            : (target as ReturnType<Alias['resolve']>);
        node.resolve = quick;
      } else if (node.anchor !== undefined) anchors.set(node.anchor, node);
    },
  });
}

function* tokensOf(text: string, lines: LineCounter | undefined): Generator<CST.Token> {
  const parser = new Parser(lines?.addNewLine);
  lines?.addNewLine(0);
  const count = { aliases: 0, anchors: 0 };
  for (const lexeme of createLexer().lex(text)) {
    const [first] = lexeme;
    if (first === '*') count.aliases += 1;
    else if (first === '&') count.anchors += 1;
    const excess =
      stackOf(parser).length > 2 * maxDepth
        ? `it is deeper than ${maxDepth} levels`
        : count.aliases > maxAliases
          ? `it has more than ${maxAliases} aliases`
          : count.anchors > maxAnchors
            ? `it has more than ${maxAnchors} anchors`
            : undefined;
    const { offset } = parser as unknown as { readonly offset: number };
    if (excess !== undefined) throw new YAMLParseError([offset, offset + 1], 'RESOURCE_EXHAUSTION', excess);
    yield* parser.next(lexeme);
  }
  yield* parser.end();
}

const stackOf = (parser: Parser): readonly unknown[] =>
  (parser as unknown as { readonly stack: readonly unknown[] }).stack;

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
