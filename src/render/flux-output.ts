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

/** With the labels and annotations that all objects of a root have, and in its namespace. */
export function withCommon(object: KubeObject, root: UnitRoot | undefined): KubeObject {
  if (!root) return object;
  const { labels, annotations } = object.metadata;
  const add = (
    field: string,
    there: Readonly<Record<string, string>> | undefined,
    more: Readonly<Record<string, string>>,
  ): object => (Object.keys(more).length === 0 ? {} : { [field]: { ...there, ...more } });
  const metadata = {
    ...object.metadata,
    ...add('labels', labels, root.labels),
    ...add('annotations', annotations, root.annotations),
    ...(root.namespace === undefined || object.metadata.namespace !== undefined || isClusterScoped(object)
      ? {}
      : { namespace: root.namespace }),
  };
  return { ...object, metadata };
}
