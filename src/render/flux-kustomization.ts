import { namespacedName } from '../lib/key.ts';
import { groupOf, type KubeObject, type Manifest, type ObjectRef } from '../manifest/types.ts';
import type { UnitNeed } from '../manifest/needs.ts';
import { type Description, type Fields, orReason, Unusable } from './described.ts';
import { durationOf, folderIn, isNothing, listOf, mapOf, mapsOf, textOf, textsOf } from './described-fields.ts';
import { toldOf } from './flux-fields.ts';

/** What a Kustomization of Flux says is to be applied. */
export interface FluxKustomization extends Description {
  readonly folder: string;
  readonly source: ObjectRef;
  /** What is written into the folder's own kustomization. */
  readonly changes: FluxChanges;
  /** Undefined: nothing is filled in. */
  readonly variables: FluxVariables | undefined;
  /** Secret with the keys of what is encrypted. Undefined: whoever renders it has them. */
  readonly keys: { readonly namespace: string; readonly name: string } | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly prune: boolean;
  /** Of which objects those that depend on it wait until they are ready. */
  readonly checks: UnitNeed['checks'];
  /** So long what is checked may take to be ready. */
  readonly timeoutMs: number;
  readonly isSuspended: boolean;
}

export interface FluxChanges {
  readonly namespace: string | undefined;
  readonly namePrefix: string | undefined;
  readonly nameSuffix: string | undefined;
  readonly images: readonly Fields[];
  readonly patches: readonly Fields[];
  readonly patchesStrategicMerge: readonly unknown[];
  readonly patchesJson6902: readonly Fields[];
  readonly components: readonly string[];
}

interface FluxVariables {
  readonly inline: ReadonlyMap<string, string>;
  /** Each overrules those before it, and `inline` all of them. */
  readonly from: readonly FluxSubstitutes[];
}

/** What variables are taken from. */
export interface FluxSubstitutes {
  readonly kind: 'ConfigMap' | 'Secret';
  readonly namespace: string;
  readonly name: string;
  readonly isOptional: boolean;
}

const group = 'kustomize.toolkit.fluxcd.io';
/** Where neither `timeout` nor `interval` can be read. */
const defaultTimeoutMs = 300_000;

export const isFluxKustomization = ({ apiVersion, kind }: Pick<KubeObject, 'apiVersion' | 'kind'>): boolean =>
  kind === 'Kustomization' && groupOf(apiVersion) === group;

/** An object that only tells Flux what to do, and is not applied where that is done here. */
export const isFluxDescription = (object: Pick<KubeObject, 'apiVersion' | 'kind'>): boolean =>
  isFluxKustomization(object) ||
  (object.kind === 'GitRepository' && groupOf(object.apiVersion) === 'source.toolkit.fluxcd.io');

/** A text says why it cannot be followed. */
export function readFluxKustomization(manifest: Manifest): FluxKustomization | string {
  return orReason(() => read(manifest));
}

function read(manifest: Manifest): FluxKustomization {
  const { apiVersion, metadata } = manifest.object;
  const spec = mapOf(manifest.object['spec'], 'spec');
  if (!/\/(?:v1|v1beta2)$/.test(apiVersion))
    throw new Unusable(`${apiVersion} is too old: v1 and v1beta2 are followed`);
  const namespace = metadata.namespace ?? '';
  const sourceRef = mapOf(spec['sourceRef'], 'spec.sourceRef');
  const common = mapOf(spec['commonMetadata'], 'spec.commonMetadata');
  return {
    manifest,
    key: namespacedName({ namespace, name: metadata.name }),
    folder: folderIn(textOf(spec['path'], 'spec.path') ?? '', 'spec.path'),
    source: {
      apiVersion: 'source.toolkit.fluxcd.io/v1',
      kind: textOf(sourceRef['kind'], 'spec.sourceRef.kind') ?? '',
      namespace: textOf(sourceRef['namespace'], 'spec.sourceRef.namespace') ?? namespace,
      name: textOf(sourceRef['name'], 'spec.sourceRef.name') ?? '',
    },
    changes: {
      namespace: textOf(spec['targetNamespace'], 'spec.targetNamespace'),
      namePrefix: textOf(spec['namePrefix'], 'spec.namePrefix'),
      nameSuffix: textOf(spec['nameSuffix'], 'spec.nameSuffix'),
      images: mapsOf(spec['images'], 'spec.images'),
      patches: mapsOf(spec['patches'], 'spec.patches'),
      patchesStrategicMerge: listOf(spec['patchesStrategicMerge'], 'spec.patchesStrategicMerge'),
      patchesJson6902: mapsOf(spec['patchesJson6902'], 'spec.patchesJson6902'),
      components: listOf(spec['components'], 'spec.components').map((entry) => textOf(entry, 'spec.components') ?? ''),
    },
    variables: variablesOf(spec['postBuild'], namespace),
    keys: keysOf(spec['decryption'], namespace),
    labels: textsOf(common['labels'], 'spec.commonMetadata.labels'),
    annotations: textsOf(common['annotations'], 'spec.commonMetadata.annotations'),
    prune: spec['prune'] === true,
    checks:
      spec['wait'] === true
        ? 'all'
        : mapsOf(spec['healthChecks'], 'spec.healthChecks').map((one): ObjectRef => {
            const of = textOf(one['namespace'], 'spec.healthChecks.namespace');
            return {
              apiVersion: textOf(one['apiVersion'], 'spec.healthChecks.apiVersion') ?? 'v1',
              kind: textOf(one['kind'], 'spec.healthChecks.kind') ?? '',
              name: textOf(one['name'], 'spec.healthChecks.name') ?? '',
              ...(of === undefined ? {} : { namespace: of }),
            };
          }),
    timeoutMs: durationOf(spec['timeout']) ?? durationOf(spec['interval']) ?? defaultTimeoutMs,
    isSuspended: spec['suspend'] === true,
    dependsOn: mapsOf(spec['dependsOn'], 'spec.dependsOn').map((entry) =>
      namespacedName({
        namespace: textOf(entry['namespace'], 'spec.dependsOn.namespace') ?? namespace,
        name: textOf(entry['name'], 'spec.dependsOn.name') ?? '',
      }),
    ),
    told: toldOf(manifest.object),
  };
}

function keysOf(decryption: unknown, namespace: string): FluxKustomization['keys'] {
  if (isNothing(decryption)) return undefined;
  const { provider, secretRef, ...others } = mapOf(decryption, 'spec.decryption');
  if (provider !== 'sops') throw new Unusable('spec.decryption.provider is not followed: sops is');
  const strange = Object.keys(others).find((field) => !isNothing(others[field]));
  if (strange !== undefined)
    throw new Unusable(`spec.decryption.${strange.slice(0, 60)} is not followed: secretRef is`);
  const name = textOf(mapOf(secretRef, 'spec.decryption.secretRef')['name'], 'spec.decryption.secretRef.name');
  return name === undefined ? undefined : { namespace, name };
}

function variablesOf(postBuild: unknown, namespace: string): FluxVariables | undefined {
  if (isNothing(postBuild)) return undefined;
  const fields = mapOf(postBuild, 'spec.postBuild');
  const strange = Object.keys(fields).find((field) => field !== 'substitute' && field !== 'substituteFrom');
  if (strange !== undefined) throw new Unusable(`spec.postBuild.${strange.slice(0, 60)} is not known here`);
  const inline = new Map(Object.entries(textsOf(fields['substitute'], 'spec.postBuild.substitute')));
  const from = mapsOf(fields['substituteFrom'], 'spec.postBuild.substituteFrom').map((entry) => {
    const { kind, optional } = entry;
    if (kind !== 'ConfigMap' && kind !== 'Secret')
      throw new Unusable('spec.postBuild.substituteFrom names something that is no ConfigMap and no Secret');
    const name = textOf(entry['name'], 'spec.postBuild.substituteFrom.name') ?? '';
    return { kind, namespace, name, isOptional: optional === true } as const;
  });
  return inline.size === 0 && from.length === 0 ? undefined : { inline, from };
}
