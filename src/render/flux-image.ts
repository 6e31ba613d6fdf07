import { namespacedName } from '../lib/key.ts';
import type { Steps } from '../lib/turns.ts';
import { writtenIn } from '../manifest/edit-tree.ts';
import { isObject } from '../manifest/edit-value.ts';
import { fileOfUnit, type KubeObject } from '../manifest/types.ts';
import { isFluxKustomization, readFluxKustomization } from './flux-kustomization.ts';
import { textAt } from './source-bytes.ts';
import type { TreeFiles } from './tree-files.ts';

/** The Kustomization of Flux that a unit is called after, as it is written in a file. */
export interface WrittenFlux {
  readonly path: string;
  readonly object: KubeObject;
  /** Of what it renders, from the repository's root. */
  readonly folder: string;
}

const group = 'kustomize.toolkit.fluxcd.io/';

/** Undefined: the unit is none of Flux, or what describes it stands in no file as it is. A text says why it cannot be told where. */
export function* fluxOf(unit: string, files: TreeFiles): Steps<WrittenFlux | string | undefined> {
  const at = unit.lastIndexOf('#');
  if (at < 0) return undefined;
  const key = unit.slice(at + 1);
  const first = fileOfUnit(unit);
  const found: WrittenFlux[] = [];
  for (const [path, file] of files) {
    const known = typeof file === 'object' ? file.parsed?.parsed.manifests : undefined;
    if (known && path !== first && !known.some(({ object }) => isMeant(object, key))) continue;
    // What nobody has read or parsed holds no description that is followed.
    const isRead = known !== undefined || typeof file === 'string' || file.text !== undefined || path === first;
    const text = isRead ? yield* textAt(path, { files }) : undefined;
    if (text === undefined || !text.includes(group)) continue;
    for (const { value } of writtenIn(text) ?? []) {
      if (!isObject(value) || !isMeant(value as unknown as KubeObject, key)) continue;
      const object = value as unknown as KubeObject;
      const read = readFluxKustomization({ object, origin: { renderer: 'plain', path, line: 1, document: 0 } });
      if (typeof read !== 'string') found.push({ path, object, folder: read.folder });
    }
    yield;
  }
  const [flux, ...others] = found;
  if (others.length === 0) return flux;
  const own = found.filter(({ path }) => path === first);
  return own.length === 1 ? own[0] : `the Kustomization ${key} of Flux stands in several files`;
}

function isMeant(object: KubeObject, key: string): boolean {
  if (typeof object.apiVersion !== 'string' || !isObject(object.metadata) || !isFluxKustomization(object)) return false;
  const { name, namespace } = object.metadata;
  // What is written without one gets it from where it is rendered.
  return namespace === undefined
    ? key.endsWith(namespacedName({ namespace: '', name }))
    : key === namespacedName({ namespace, name });
}
