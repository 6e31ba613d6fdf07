import { canonicalJson, shortHash } from '../../lib/hash.ts';
import type { KubeObject, ObjectRef } from '../../manifest/types.ts';
import { at, type Json, jsonOf, textsOf } from '../../lib/json.ts';
import { withoutToolkit } from '../labels.ts';
import { isControlledBy, ownerOf } from '../owner.ts';
import type { AutoscalerSpec } from '../types.ts';

export interface ScalerInput {
  readonly spec: AutoscalerSpec;
  readonly canary: KubeObject;
  /** Name of the target; the primary's is `<target>-primary`. */
  readonly target: string;
  /** The target's autoscaler. */
  readonly source: KubeObject;
}

/**
 * What is different about one kind of autoscaler. Objects in, objects out; Flagger's behaviour unless a member says otherwise.
 *
 * How to add one: write the file, add it to `registry.ts` and its name to `AutoscalerSpec['kind']`.
 */
export interface Scaler {
  readonly kind: AutoscalerSpec['kind'];
  /** What is asked of the API server, whatever version `autoscalerRef` names. */
  readonly ref: Pick<ObjectRef, 'apiVersion' | 'kind'>;
  /** Flagger's words for one that is not there. */
  missing(place: { readonly name: string; readonly namespace: string }): string;
  /** Pods that it would run at least; at least 1. */
  leastOf(scaler: KubeObject): number;
  /** Pods that it would run at most. */
  mostOf(scaler: KubeObject): number;
  /** `spec` of the primary's copy. */
  specFor(input: ScalerInput): Json;
  /** Labels and annotations of the target's autoscaler that are true of the primary's copy too. */
  metadataFor(source: KubeObject): Pick<KubeObject['metadata'], 'labels' | 'annotations'>;
  /** Labels and annotations that others keep on the copy. */
  isForeign(key: string, value: string): boolean;
  /**
   * Keeps the target at zero, or lets it go; gives the very same object where it is so already. Absent: a target without pods is left
   * alone by this kind anyway.
   */
  paused?(scaler: KubeObject, isPaused: boolean): KubeObject;
  /**
   * Keeps it from taking pods from a target that is to have all users soon and has few yet: `replicas` is what the target has, undefined
   * leaves it to itself again. Gives the very same object where it is so already.
   */
  held(scaler: KubeObject, replicas: number | undefined): KubeObject;
  /** A write of one that stands may take pods away at once. */
  readonly takesPods: boolean;
  /** How long after the users have come its figures are of before. */
  readonly settleMs: number;
  /** Whether it is told to keep whom it scales at zero. Absent: this kind never is. */
  isAtZero?(scaler: KubeObject): boolean;
}

/** Annotation of a primary's autoscaler: hash of what it was made from. */
const madeOf = 'serin.dev/made-of';

/** `<name>-primary` as it is created (`live` undefined), or brought up to date; the very `live` where nothing differs. */
export function renderPrimaryScaler(scaler: Scaler, input: ScalerInput, live: KubeObject | undefined): KubeObject {
  const { labels = {}, annotations = {} } = scaler.metadataFor(input.source);
  const { namespace } = input.source.metadata;
  const keptOf = (values: unknown): Record<string, string> =>
    Object.fromEntries(Object.entries(textsOf(values)).filter(([key, value]) => scaler.isForeign(key, value)));
  const { labels: _labels, annotations: _annotations, ownerReferences = [], ...kept } = live?.metadata ?? {};
  const isOurs = live === undefined || ownerReferences.length === 0 || isControlledBy(live, input.canary);
  const made: KubeObject = {
    ...live,
    ...scaler.ref,
    metadata: {
      ...kept,
      name: `${input.source.metadata.name}-primary`,
      ...(namespace === undefined ? {} : { namespace }),
      labels: { ...keptOf(live?.metadata.labels), ...labels },
      annotations: {
        ...keptOf(live?.metadata.annotations),
        ...annotations,
        [madeOf]: sourceHash(scaler, input),
      },
      ownerReferences: isOurs ? [ownerOf(input.canary)] : ownerReferences,
    },
    spec: scaler.specFor(input),
  };
  return live !== undefined && canonicalJson(made) === canonicalJson(live) ? live : made;
}

/**
 * Whether the target's autoscaler has changed since the primary's copy was written. What somebody else does to the copy meanwhile does
 * not count: between releases it is theirs.
 */
export function isScalerBehind(scaler: Scaler, input: ScalerInput, live: KubeObject): boolean {
  const noted = live.metadata.annotations?.[madeOf];
  if (noted !== undefined) return noted !== sourceHash(scaler, input);
  // One that Flagger made.
  return canonicalJson(live['spec']) !== canonicalJson(scaler.specFor(input));
}

function sourceHash(scaler: Scaler, input: ScalerInput): string {
  return shortHash(canonicalJson([scaler.metadataFor(input.source), scaler.specFor(input)]));
}

/** Labels or annotations of the source without those that are about the source alone. */
export function copied(values: unknown, isLeftOut: (key: string) => boolean = () => false): Record<string, string> {
  const entries = Object.entries(withoutToolkit(textsOf(values)));
  return Object.fromEntries(
    entries.filter(([key]) => key !== 'kubectl.kubernetes.io/last-applied-configuration' && !isLeftOut(key)),
  );
}

/** The target's `scaleTargetRef`, led to the primary. */
export function primaryScaleTarget({ source, target }: ScalerInput): Json {
  return { ...jsonOf(at(source, 'spec', 'scaleTargetRef')), name: `${target}-primary` };
}
