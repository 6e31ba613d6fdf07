import type { KubeObject, ObjectRef } from '../../manifest/types.ts';
import type { SelectorLabel } from '../labels.ts';
import type { PrimarySource } from '../primary.ts';
import type { ServiceInput } from '../services.ts';
import type { Readiness, Seen, TargetKind } from '../types.ts';

interface Place {
  readonly name: string;
  readonly namespace: string;
}

export interface ReadinessInput {
  readonly role: 'primary' | 'canary';
  readonly namespace: string;
  /** The object's own name; of a primary that is not there, the one that it would have. */
  readonly name: string;
  /** Absent: there is none. */
  readonly object: KubeObject | undefined;
  /** Percent of the updated pods that must be available. */
  readonly thresholdPercent: number;
  /** The Canary's progressDeadlineSeconds. */
  readonly deadlineSeconds: number;
  readonly nowMs: number;
}

/**
 * What of a target its Canary writes: its number of pods, the traffic of its Revisions, a mark in a field that has one owner as a whole,
 * or nothing.
 */
export type TargetShare = 'replicas' | 'traffic' | 'nodes' | 'nothing';

/**
 * What is different about one kind of target. Objects in, data out; Flagger's behaviour and words (flagger.app/v1beta1) unless a
 * member says otherwise. What is the same for all kinds stays in the phases.
 *
 * How to add one: write the file, add it to `registry.ts` and its name to `TargetKind`. The conformance test then runs on it.
 */
export interface Target {
  readonly kind: TargetKind;
  /** What is asked of the API server, whatever version `targetRef` names. */
  readonly ref: Pick<ObjectRef, 'apiVersion' | 'kind'>;
  /** Which Services its Canary has: all three; the copies beside the target, which is the third; or none. */
  readonly services: 'all' | 'copies' | 'none';
  readonly shared: TargetShare;
  /** The field that can only be sent as a whole, from the object's root. Absent: there is none such. */
  readonly wholeField?: readonly string[];
  /** The target from Git with what its Canary has written into that field of the live one. Absent: likewise. */
  withShared?(live: KubeObject, object: KubeObject): KubeObject;
  /** ConfigMaps and Secrets of its pods are copied for the primary, and their changes are new revisions. */
  readonly tracksConfigs: boolean;

  /** The label that tells primary and canary apart. Kinds without pods of their own have `noSelector`. Undefined: it has none. */
  selectorOf(target: KubeObject, names: readonly string[]): SelectorLabel | undefined;
  /** Flagger's words for a target that is not there, or that has none of these labels. */
  missing(place: Place): string;
  unlabelled(place: Place, names: readonly string[]): string;
  /** Why no primary can be made from it; undefined where it can. */
  obstacle?(target: KubeObject): string | undefined;

  /** The part of the target that a new revision changes, as the API server stores it. */
  revised(target: KubeObject): unknown;

  /** The same of the document in Git, where no cluster has filled anything in. */
  judged(document: KubeObject): unknown;

  /** The object that serves the users of the primary; undefined where the target does not name one yet. */
  primaryRef(ref: ObjectRef, target: KubeObject | undefined): ObjectRef | undefined;
  /** One object more that is to be read, as `Seen.candidate`; absent: none. */
  candidateRef?(ref: ObjectRef, target: KubeObject | undefined): ObjectRef | undefined;
  /** The object that serves the users of the canary. */
  candidateOf(seen: Seen): KubeObject | undefined;
  /** What is written of the primary, or of a target that is given back, leads users by itself. Absent: Services and routes do. */
  readonly leadsUsers?: true;
  /** Makes the primary from the source (`primary` undefined), or brings it to the source's state. */
  writePrimary(source: PrimarySource, primary: KubeObject | undefined): PrimaryWrite;
  /** The primary without the mark that only targets are to have; the very same where it has none. Absent: this kind knows no mark. */
  unmarked?(primary: KubeObject): KubeObject;
  /** Whether the primary runs exactly this. */
  runs(primary: KubeObject, source: PrimarySource): boolean;
  /** Whether the primary was made from the revision that a status names. */
  hasId(primary: KubeObject, hash: string, configs: Readonly<Record<string, string>>): boolean;
  /** What is said after the primary has been made, until it is seen; undefined where it needs no time. */
  unborn(place: Place): string | undefined;

  /** Whether all pods of a primary or canary are up. `reason` is the whole message. */
  readiness(input: ReadinessInput): Readiness;
  /** When its pods last came or went, as far as the object says; what leads traffic to them learns of it a little later. */
  movedAtMs?(object: KubeObject): number | undefined;
  /** At least one pod answers requests, whatever a rollout is doing. Of nothing: false. */
  serves(object: KubeObject | undefined): boolean;
  /** A rollout may end all its pods before a new one answers. Absent: never. */
  mayEndAll?(object: KubeObject): boolean;
  /** How many pods it is to have, and how many of them answer requests. Absent: others know. */
  pods?(object: KubeObject): { readonly wanted: number; readonly answering: number };

  /** Absent: it is never scaled; Knative does that by itself, and a Service has nothing to scale. */
  readonly scaling?: Scaling;
  /** One of the generated Services as it should be, the very `live` object where nothing differs; undefined: there is no such Service. */
  renderService(input: ServiceInput): KubeObject | undefined;
  /** `-canary` is a copy of the target and not a way to its pods: it need not follow the target at once. Absent: no. */
  readonly copiesTarget?: true;
  /** The target as it is left when its Canary goes and hands everything back. Absent: as it is. */
  released?(target: KubeObject, primary: KubeObject | undefined): KubeObject;
}

interface PrimaryWrite {
  readonly object: KubeObject;
  /** What `object` was computed from; undefined: it is created. */
  readonly over: KubeObject | undefined;
}

interface Scaling {
  /** What it is asked to run; 0: nothing. Kinds without a number of their own say 1 for more than nothing. */
  replicasOf(object: KubeObject): number;
  /** Merge patch that gives the target this many pods; 0: none. */
  patch(replicas: number): Readonly<Record<string, unknown>>;
  /** Somebody else has set the primary's number. Absent: nobody can. */
  isOthers?(primary: KubeObject): boolean;
  /** The primary with this number; the very same where it has it, or where somebody else has set another. Absent: it has none. */
  follow?(primary: KubeObject, replicas: number): KubeObject;
}

/** For kinds whose pods are told apart by others than us. */
export const noSelector: SelectorLabel = { label: '', value: '' };
