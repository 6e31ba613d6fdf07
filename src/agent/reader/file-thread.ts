import { parentPort } from 'node:worker_threads';
import { atOnce } from '../../lib/turns.ts';
import { type Rendering, type FileOfTree, readManifestFile } from '../../manifest/load.ts';
import type { ManifestLimits } from '../../manifest/limits.ts';
import { lengthOf } from '../../manifest/measure.ts';
import type { Manifest } from '../../manifest/types.ts';
import { editingTexts, type TextEdit, type TextEdits } from '../../render/text-edit.ts';

/** What the thread is asked: to read a file, then for one portion after the other; or to edit texts. */
export type Ask =
  | {
      readonly kind: 'read';
      readonly path: string;
      readonly content: string | Uint8Array;
      readonly file: FileOfTree;
      readonly limits: ManifestLimits;
    }
  | { readonly kind: 'more' }
  | { readonly kind: 'edit'; readonly edit: TextEdit };

/**
 * Manifests are told in portions, so that nobody who takes them is kept from other work; the last one has all the rest. As JSON: that is read
 * several times quicker than what threads tell each other otherwise.
 */
export type Portion =
  | { readonly kind: 'manifests'; readonly manifests: string }
  | { readonly kind: 'file'; readonly file: Rendering; readonly manifests: string }
  | { readonly kind: 'edits'; readonly edits: TextEdits }
  | { readonly kind: 'failed'; readonly reason: string };

/** Characters of JSON, but no less than one object. */
const portionLength = 256 * 1024;

// Each of thousands of errors would be made with the whole way to it.
Error.stackTraceLimit = 0;

let portions: Iterator<Portion> | undefined;

function* portionsOf(file: Rendering): Generator<Portion> {
  let manifests: Manifest[] = [];
  let length = 0;
  for (const manifest of file.parsed.manifests) {
    const more = lengthOf(manifest.object);
    if (manifests.length > 0 && length + more > portionLength) {
      yield { kind: 'manifests', manifests: JSON.stringify(manifests) };
      manifests = [];
      length = 0;
    }
    manifests.push(manifest);
    length += more;
  }
  yield {
    kind: 'file',
    file: { ...file, parsed: { ...file.parsed, manifests: [] } },
    manifests: JSON.stringify(manifests),
  };
}

parentPort?.on('message', (ask: Ask) => {
  try {
    if (ask.kind === 'edit') {
      parentPort?.postMessage({ kind: 'edits', edits: atOnce(editingTexts(ask.edit)) });
      return;
    }
    if (ask.kind === 'read')
      portions = portionsOf(atOnce(readManifestFile(ask.path, ask.content, ask.file, ask.limits)));
    const next = portions?.next();
    parentPort?.postMessage(next?.done === false ? next.value : { kind: 'failed', reason: 'there is no more' });
  } catch (error) {
    parentPort?.postMessage({ kind: 'failed', reason: error instanceof Error ? error.message : String(error) });
  }
});
