import { namespacedName } from '../lib/key.ts';
import type { Steps } from '../lib/turns.ts';
import type { LoadSettings } from '../manifest/load.ts';
import type { Manifest } from '../manifest/types.ts';
import type { FluxKustomization, FluxSubstitutes } from './flux-kustomization.ts';
import { liveConfig, type LiveConfigs, textsOf } from './live-configs.ts';

/** What variables of a Kustomization stand for. */
export interface FluxValues {
  readonly values: ReadonlyMap<string, string>;
  /** Some of them Git does not say in the open. */
  readonly isSecret: boolean;
}

/** Whether Git says all of them: see `valuesOf`. */
export const areInGit = ({ variables }: FluxKustomization, objects: readonly Manifest[]): boolean =>
  variables === undefined || variables.from.every((from) => inGit(from, objects) !== undefined);

/**
 * The values of its variables, by what Git says of ConfigMaps and Secrets, and where it does not, by those that the cluster has. A text says
 * what is missing; undefined: it has no variables.
 */
export function* valuesOf(
  { variables, manifest }: FluxKustomization,
  objects: readonly Manifest[],
  {
    live,
    settings,
    missed,
  }: { readonly live: LiveConfigs | undefined; readonly settings: LoadSettings; readonly missed?: () => unknown },
): Steps<FluxValues | undefined | string> {
  if (!variables) return undefined;
  const values = new Map<string, string>();
  const put = (name: string, value: string): void => void values.set(name, value.replaceAll('\n', ''));
  let isSecret = false;
  for (const from of variables.from) {
    const written = inGit(from, objects);
    const shown = `spec.postBuild.substituteFrom names the ${from.kind} ${namespacedName({ namespace: from.namespace, name: from.name.slice(0, 100) })}`;
    if (written?.locked) return `${shown}, which cannot be decrypted`;
    const found =
      written?.object ??
      (yield* liveConfig(from, manifest.origin.path, { live, settings, ...(missed ? { missed } : {}) }));
    // Where it is not known whether there is one, an optional one is missed as well.
    if (typeof found === 'string') return `${shown}, ${found}`;
    if (found === undefined) {
      if (from.isOptional) continue;
      return `${shown}, which is neither in Git nor in the cluster: make it there, or write its values into spec.postBuild.substitute`;
    }
    isSecret ||= written ? written.sealed !== undefined : from.kind === 'Secret';
    for (const [name, value] of textsOf(found)) put(name, value);
  }
  for (const [name, value] of variables.inline) put(name, value);
  return { values, isSecret };
}

const inGit = ({ kind, name, namespace }: FluxSubstitutes, objects: readonly Manifest[]): Manifest | undefined =>
  objects.find(
    ({ object }) =>
      object.kind === kind &&
      object.apiVersion === 'v1' &&
      object.metadata.name === name &&
      object.metadata.namespace === namespace,
  );
