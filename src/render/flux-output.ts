import { isClusterScoped } from '../manifest/kinds.ts';
import type { KubeObject } from '../manifest/types.ts';
import { BadSubstitution, substituted } from './envsubst.ts';
import type { UnitRoot } from './renderer.ts';

const name = /^[_a-zA-Z][_a-zA-Z0-9]*$/;
const untouched = /^ {4}kustomize\.toolkit\.fluxcd\.io\/substitute: ["']?disabled["']?$/m;

/** What was built, with the variables in it filled in object by object, as Flux does it. A text says why that is not possible. */
export function filledIn(output: Uint8Array, values: ReadonlyMap<string, string> | undefined): Uint8Array | string {
  if (!values || values.size === 0) return output;
  const wrong = [...values.keys()].find((one) => !name.test(one));
  if (wrong !== undefined) return `${wrong.slice(0, 60)} is no name of a variable: write letters, digits and _`;
  try {
    const documents = Buffer.from(output).toString('utf8').split(/^---$/m);
    const filled = documents.map((text) =>
      untouched.test(text) ? text : substituted(text, (one) => values.get(one) ?? ''),
    );
    return Buffer.from(filled.join('---'));
  } catch (error) {
    if (error instanceof BadSubstitution) return `its variables cannot be filled in (${error.message})`;
    throw error;
  }
}

type Texts = Readonly<Record<string, string>>;

/** With labels and annotations that all objects have. */
export function withMetadata(
  object: KubeObject,
  { labels = {}, annotations = {} }: { readonly labels?: Texts; readonly annotations?: Texts },
): KubeObject {
  if (Object.keys(labels).length + Object.keys(annotations).length === 0) return object;
  const { metadata } = object;
  const add = (field: string, there: Texts | undefined, more: Texts): object =>
    Object.keys(more).length === 0 ? {} : { [field]: { ...there, ...more } };
  return {
    ...object,
    metadata: {
      ...metadata,
      ...add('labels', metadata.labels, labels),
      ...add('annotations', metadata.annotations, annotations),
    },
  };
}

/** With what all objects of a root have, and in its namespace. */
export function withCommon(object: KubeObject, root: UnitRoot | undefined): KubeObject {
  if (!root) return object;
  const common = withMetadata(object, root);
  const { metadata } = common;
  if (root.namespace === undefined || metadata.namespace !== undefined || isClusterScoped(object)) return common;
  return { ...common, metadata: { ...metadata, namespace: root.namespace } };
}
