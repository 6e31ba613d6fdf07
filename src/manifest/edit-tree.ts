import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isPair,
  isScalar,
  isSeq,
  type Node,
  parseAllDocuments,
} from 'yaml';

/** Keys and indexes from a document's root. */
export type YamlPath = readonly (string | number)[];

/** One place in a file: zero-based document, path inside it. */
export interface Place {
  readonly document: number;
  readonly path: YamlPath;
}

/**
 * Why an edit is not made; never a wrong write. `style`: the way it is written cannot be kept. `verify`: reading the edited text
 * back gave something else than what was meant.
 */
export type Refusal =
  | 'unreadable'
  | 'missing'
  | 'not-scalar'
  | 'alias'
  | 'anchor'
  | 'tag'
  | 'style'
  | 'flow'
  | 'verify';

export type EditResult =
  | { readonly kind: 'edited'; readonly text: string }
  | { readonly kind: 'refused'; readonly refusal: Refusal; readonly message: string };

export const refused = (refusal: Refusal, message: string): EditResult => ({ kind: 'refused', refusal, message });

/** Undefined where any document has an error. Ranges are UTF-16 indexes into `text`. */
export function readDocuments(text: string): readonly Document.Parsed[] | undefined {
  // `intAsBigInt` keeps large numbers comparable to the digit; nothing but comparisons sees them.
  const parsed = parseAllDocuments(text, { keepSourceTokens: true, intAsBigInt: true, stringKeys: true });
  if (!Array.isArray(parsed)) return [];
  return parsed.some(({ errors }) => errors.length > 0) ? undefined : parsed;
}

export function nodeAt(document: Document.Parsed | undefined, path: YamlPath): Node | undefined {
  let node: unknown = document?.contents;
  for (const step of path) {
    if (isMap(node)) {
      node = node.items.find(({ key }) => isScalar(key) && key.value === step)?.value;
    } else if (isSeq(node) && typeof step === 'number') node = node.items[step];
    else return undefined;
  }
  return isScalar(node) || isCollection(node) || isAlias(node) ? node : undefined;
}

export const formatPath = (path: YamlPath): string =>
  path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`)).join('') || '(root)';

/**
 * Everything that a document says, comments, tags and anchors included, as text: equal text, equal document. The value at `except`
 * is left out, what is attached to it is not.
 */
export function fingerprint(document: Document.Parsed, except?: YamlPath): string {
  const directives = document.directives?.toString() ?? '';
  return JSON.stringify([
    document.commentBefore,
    document.comment,
    directives,
    document.contents ? shapeOf(document.contents, except) : null,
  ]);
}

function shapeOf(node: unknown, except: YamlPath | undefined): unknown {
  if (isPair(node)) {
    const inside = except !== undefined && isScalar(node.key) && node.key.value === except[0];
    return [shapeOf(node.key, undefined), shapeOf(node.value, inside ? except.slice(1) : undefined)];
  }
  if (isAlias(node)) return ['alias', node.source, node.comment, node.commentBefore];
  if (isScalar(node)) {
    const value = except?.length === 0 ? 'except' : [typeof node.value, String(node.value)];
    return ['scalar', value, node.tag, node.anchor, node.comment, node.commentBefore, node.spaceBefore];
  }
  if (isCollection(node)) {
    const items = node.items.map((item, at) => {
      const inside = isPair(item) || (except !== undefined && except[0] === at);
      return shapeOf(item, inside ? (isPair(item) ? except : except?.slice(1)) : undefined);
    });
    return [
      isMap(node) ? 'map' : 'seq',
      node.tag,
      node.anchor,
      node.comment,
      node.commentBefore,
      node.spaceBefore,
      items,
    ];
  }
  return null;
}

/** The document as plain values, aliases resolved; integers are BigInts. Undefined where it is empty. */
export function plainValue(document: Document.Parsed | undefined): unknown {
  return document?.contents ? toPlain(document.toJS({ maxAliasCount: 1000 })) : undefined;
}

/** Numbers get one form, so that 1 and 1n are equal and 10n ** 20n stays exact. */
export function toPlain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (Array.isArray(value)) return value.map(toPlain);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, toPlain(member)]));
}
