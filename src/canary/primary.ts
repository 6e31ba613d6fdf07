import { canonicalJson, sha256Hex } from '../lib/hash.ts';
import type { KubeObject } from '../manifest/types.ts';
import type { CopyNames } from './config-copies.ts';
import { withPrimaryConfigs } from './configs.ts';
import { at, type Json, jsonOf, textsOf } from '../lib/json.ts';
import { sameJson } from '../lib/same-json.ts';
import { includedByPrefix, type SelectorLabel, withoutToolkit } from './labels.ts';
import { ownerOf } from './owner.ts';
import { spreadFromPrimary } from './primary-spread.ts';
import type { ConfigKey, DecideSettings } from './types.ts';

/** Flagger's name for it; a new value rolls the primary's pods even where only configs changed. */
const idAnnotation = 'flagger-id';
const copiedFields = [
  'progressDeadlineSeconds',
  'minReadySeconds',
  'revisionHistoryLimit',
  'strategy',
  'updateStrategy',
];
/** What controllers and the API server note of a workload's own history. */
const isHistory = (key: string): boolean =>
  key.startsWith('deployment.kubernetes.io/') || key.startsWith('deprecated.daemonset.');

/** What the primary is made from: the target, its template's hash and the checksums of its tracked configs. */
export interface PrimarySource {
  readonly canary: KubeObject;
  readonly target: KubeObject;
  readonly selector: SelectorLabel;
  readonly templateHash: string;
  readonly configs: Readonly<Record<string, string>>;
  /** What the primary reads instead of them. Absent: all copies have Flagger's names. */
  readonly copies?: CopyNames;
  /** Absent: the kind has none. */
  readonly replicas: number | undefined;
  readonly settings: DecideSettings;
}

/** `<target>-primary` as it is created. */
export function createPrimary(source: PrimarySource): KubeObject {
  const { canary, target, selector, settings } = source;
  const { name, namespace, annotations = {} } = target.metadata;
  return {
    apiVersion: target.apiVersion,
    kind: target.kind,
    metadata: {
      name: `${name}-primary`,
      ...(namespace === undefined ? {} : { namespace }),
      labels: primaryLabels(target, selector, settings),
      annotations: withoutMachineNotes(withoutToolkit(annotations)),
      ownerReferences: [ownerOf(canary)],
    },
    spec: {
      ...specFromTarget({}, source, source.copies?.next),
      ...(source.replicas === undefined ? {} : { replicas: Math.max(source.replicas, 1) }),
      selector: { matchLabels: { ...selector.others, [selector.label]: `${selector.value}-primary` } },
    },
  };
}

/** The live primary with the target's present state: what a promotion writes. */
export function promotePrimary(primary: KubeObject, source: PrimarySource): KubeObject {
  const { target, selector, settings } = source;
  const live = primary.metadata.annotations ?? {};
  const kept = Object.fromEntries(Object.entries(live).filter(([key]) => isHistory(key)));
  return {
    ...primary,
    metadata: {
      ...primary.metadata,
      labels: primaryLabels(target, selector, settings),
      annotations: { ...kept, ...includedByPrefix(target.metadata.annotations ?? {}, settings.includeLabelPrefix) },
    },
    spec: {
      ...specFromTarget(jsonOf(primary['spec']), source, source.copies?.next),
      // A target that somebody scaled to nothing must not take the primary with it.
      ...(source.replicas !== undefined && source.replicas > 0 ? { replicas: source.replicas } : {}),
    },
  };
}

/** Whether the primary runs exactly this: by the id that we gave it, else (Flagger's random ids) by comparing templates. */
export function primaryRuns(primary: KubeObject, source: PrimarySource): boolean {
  const id = textsOf(at(primary, 'spec', 'template', 'metadata', 'annotations'))[idAnnotation];
  return id === primaryId(source.templateHash, source.configs) || hasTemplateOf(primary, source);
}

/** Whether the primary was made from the revision that a status names. */
export function primaryHasId(primary: KubeObject, hash: string, configs: Readonly<Record<string, string>>): boolean {
  const id = textsOf(at(primary, 'spec', 'template', 'metadata', 'annotations'))[idAnnotation];
  return id === primaryId(hash, configs);
}

function hasTemplateOf(primary: KubeObject, source: PrimarySource): boolean {
  const selector = at(primary, 'spec', 'selector');
  const wanted = jsonOf(specFromTarget({ selector }, source, source.copies?.now)['template']);
  return sameJson(comparable(wanted), comparable(jsonOf(at(primary, 'spec', 'template'))));
}

function comparable(template: Json): Json {
  const { annotations, labels } = jsonOf(template['metadata']);
  const { [idAnnotation]: _id, ...others } = textsOf(annotations);
  return { labels: textsOf(labels), annotations: others, spec: template['spec'] };
}

function specFromTarget(
  live: Json,
  { target, selector, templateHash, configs }: PrimarySource,
  copies: CopyNames['now'] | undefined,
): Json {
  const wanted = jsonOf(target['spec']);
  const kept = Object.fromEntries(Object.entries(live).filter(([name]) => !copiedFields.includes(name)));
  const copied = copiedFields.flatMap((name) => (wanted[name] === undefined ? [] : [[name, wanted[name]] as const]));
  const { labels, annotations } = jsonOf(at(wanted, 'template', 'metadata'));
  const tracked = new Set(Object.keys(configs) as ConfigKey[]);
  const podSpec = withPrimaryConfigs(at(wanted, 'template', 'spec'), tracked, copies);
  return {
    ...kept,
    ...Object.fromEntries(copied),
    template: {
      metadata: {
        // Its selector is as it was made, and its pods have to fit it.
        labels: {
          ...withoutToolkit(textsOf(labels)),
          [selector.label]: `${selector.value}-primary`,
          ...textsOf(at(live, 'selector', 'matchLabels')),
        },
        annotations: {
          ...withoutToolkit(textsOf(annotations)),
          [idAnnotation]: primaryId(templateHash, configs),
        },
      },
      spec: spreadFromPrimary(podSpec, target.metadata.name, selector),
    },
  };
}

/** Derived, so that the same revision written twice changes nothing; shaped like the UUID that Flagger puts there. */
function primaryId(hash: string, configs: Readonly<Record<string, string>>): string {
  const hex = sha256Hex(canonicalJson([hash, configs]));
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

function primaryLabels(
  target: KubeObject,
  { label, value }: SelectorLabel,
  settings: DecideSettings,
): Record<string, string> {
  return {
    ...includedByPrefix(target.metadata.labels ?? {}, settings.includeLabelPrefix),
    [label]: `${value}-primary`,
  };
}

/** What kubectl and the controllers note about the target is not true of the primary. */
function withoutMachineNotes(annotations: Record<string, string>): Record<string, string> {
  const isNote = (key: string): boolean => key === 'kubectl.kubernetes.io/last-applied-configuration' || isHistory(key);
  return Object.fromEntries(Object.entries(annotations).filter(([key]) => !isNote(key)));
}
