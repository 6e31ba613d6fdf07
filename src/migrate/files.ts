import { stringify } from 'yaml';
import { cutDocuments, isPreamble } from '../manifest/documents.ts';
import { editDocument } from '../manifest/edit-object.ts';
import type { KubeObject } from '../manifest/types.ts';
import type { Changes, DocumentChange, Found } from './types.ts';

export interface ChangedFile {
  readonly path: string;
  readonly before: string;
  /** Undefined: nothing is left of it. */
  readonly after: string | undefined;
}

export interface Written {
  readonly files: readonly ChangedFile[];
  /** Documents that cannot be changed as meant, and why. */
  readonly refused: ReadonlyMap<Found, string>;
}

/** Brings texts to what is meant. What stays of a document keeps its bytes, and so does every other document. */
export function changedFiles(changes: Changes, textOf: (path: string) => string): Written {
  const byPath = new Map<string, [Found, DocumentChange][]>();
  for (const [found, change] of changes) byPath.set(found.path, [...(byPath.get(found.path) ?? []), [found, change]]);
  const refused = new Map<Found, string>();
  const files: ChangedFile[] = [];
  for (const [path, all] of byPath) {
    const before = textOf(path);
    let text = before;
    const made = new Map<number, { readonly keep: boolean; readonly objects: readonly KubeObject[] }>();
    for (const [found, change] of all) {
      if (change.kind === 'replace') {
        made.set(found.document, { keep: false, objects: change.by });
        continue;
      }
      const edited = editDocument(text, found.document, change.to);
      if (edited.kind === 'refused') refused.set(found, edited.reason);
      else text = edited.text;
      if (edited.kind === 'edited' && change.kind === 'edit-and-add')
        made.set(found.document, { keep: true, objects: change.more });
    }
    const after = rebuilt(text, made);
    if (after !== before) files.push({ path, before, after: after.trim() === '' ? undefined : after });
  }
  return { files, refused };
}

function rebuilt(
  text: string,
  made: ReadonlyMap<number, { readonly keep: boolean; readonly objects: readonly KubeObject[] }>,
): string {
  const parts = cutDocuments(text);
  let document = -1;
  const texts: string[] = [];
  for (const [position, part] of parts.entries()) {
    const isDocument = position > 0 || parts.length === 1 || !isPreamble(part);
    if (isDocument) document += 1;
    const change = isDocument ? made.get(document) : undefined;
    if (!change) {
      texts.push(part);
      continue;
    }
    if (change.keep) texts.push(part);
    for (const object of change.objects) texts.push(`---\n${stringify(object, { lineWidth: 0 })}`);
  }
  return texts
    .map((part, index) => (index < texts.length - 1 && part !== '' && !part.endsWith('\n') ? `${part}\n` : part))
    .join('')
    .replace(/^---\n(?=[^#\s-])/, text.startsWith('---') ? '---\n' : '');
}
