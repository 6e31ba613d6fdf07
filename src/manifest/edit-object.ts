import { isDeepStrictEqual } from 'node:util';
import { atOnce } from '../lib/turns.ts';
import { rewriteDocument, type Sources, Unwritable, type Way } from './edit-rewrite.ts';
import { writtenIn } from './edit-tree.ts';

export type EditResult =
  | { readonly kind: 'edited'; readonly text: string }
  /** Never a wrong write: the reason is for people. */
  | { readonly kind: 'refused'; readonly reason: string };

/** The first that holds. The later ones write more of the text anew. */
const ways: readonly Way[] = [
  { borrow: 'all', expand: false },
  { borrow: 'plain', expand: false },
  { borrow: 'plain', expand: true },
  { borrow: 'nothing', expand: true },
];

/**
 * Brings one document of a text to `expected`, plain JSON. What is to stay keeps its bytes, comments and anchors included; every other
 * document of the text keeps all of them. The result is only given when reading it back shows what was meant.
 */
export function editDocument(text: string, document: number, expected: unknown, lenders: Lenders = {}): EditResult {
  return atOnce(editingDocument(text, document, expected, lenders));
}

type Lenders = Pick<Partial<Sources>, 'base' | 'judged'>;

/** As `editDocument`; yields between the ways of writing it. */
export function* editingDocument(
  text: string,
  document: number,
  expected: unknown,
  { base, judged }: Lenders,
): Generator<void, EditResult> {
  const before = writtenIn(text);
  const tip = before?.[document];
  if (!before || !tip) return refused('the text is not valid YAML');
  if (isDeepStrictEqual(tip.value, expected)) return { kind: 'edited', text };
  const tried = new Set<string>();
  let reason = 'it cannot be written without changing something else';
  for (const way of ways) {
    yield;
    try {
      const edited = rewriteDocument({ tip, base, judged }, expected, way);
      if (tried.has(edited)) continue;
      tried.add(edited);
      const wanted = before.map(({ value }, at) => (at === document ? expected : value));
      const after = writtenIn(edited)?.map(({ value }) => value);
      // A file of JSON stays one, whatever else YAML takes.
      const isReadable = !isJson(text) || isJson(edited);
      if (isReadable && isDeepStrictEqual(after, wanted)) return { kind: 'edited', text: edited };
    } catch (error) {
      if (!(error instanceof Unwritable)) throw error;
      reason = error.message;
    }
  }
  return refused(reason);
}

function isJson(text: string): boolean {
  if (!/^\s*[[{]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const refused = (reason: string): EditResult => ({ kind: 'refused', reason });
