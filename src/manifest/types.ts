/** A Kubernetes object as plain JSON. Fields that we do not know stay as they are. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  [field: string]: unknown;
}

export interface ObjectMeta {
  name: string;
  namespace?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  uid?: string;
  /** Opaque; never compared as a number. */
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
  [field: string]: unknown;
}

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

/** Names one object. `namespace` is absent for cluster-scoped kinds. */
export interface ObjectRef {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
}

/** A line that people are shown: path from the repository's root, one-based line. */
interface Place {
  readonly path: string;
  readonly line: number;
}

/** Where an object comes from, so that a change of it can be written there. A kind of its own for each renderer. */
export type Origin = WrittenOrigin | HelmOrigin;

type WrittenOrigin = PlainOrigin | KustomizeOrigin;

/** The object is written in a file as it is: zero-based document in the file, first line of the object. */
interface PlainOrigin extends Place {
  readonly renderer: 'plain';
  readonly document: number;
}

/** Kustomize made it: of a document of the file, or, without a document, by a generator of the kustomization at `path`. */
export interface KustomizeOrigin extends Place {
  readonly renderer: 'kustomize';
  readonly document: number | undefined;
  /** As it is written in the file; undefined: not there. */
  readonly namespace: string | undefined;
  /** As it is written in the file. Absent: as in the object. */
  readonly name?: string;
  /** The kustomization that was rendered. */
  readonly unit: string;
}

/** A chart made it, for the HelmRelease that is written at the place. */
export interface HelmOrigin extends Place {
  readonly renderer: 'helm';
  readonly document: undefined;
  readonly namespace: undefined;
  /** Of this HelmRelease alone, see `unitOfRelease`. */
  readonly unit: string;
  readonly release: ObjectRef;
  /** Where the HelmRelease itself comes from. */
  readonly source: WrittenOrigin;
}

/** The file that an object is applied for: what stands in its place when it cannot be read or is gone. */
export const unitOf = (origin: Origin): string => (origin.renderer === 'plain' ? origin.path : origin.unit);

/** Of what a HelmRelease makes: while it is not rendered, what else is applied for its file or Kustomization goes on. */
export const unitOfRelease = (origin: Origin, { namespace = '', name }: ObjectRef): string =>
  `${unitOf(origin)}${ofRelease}${namespace}/${name}`;
const ofRelease = '#HelmRelease/';

/** What a HelmRelease is applied for, of which this is the unit. Undefined: it is the unit of none. */
export function holderOfRelease(unit: string): string | undefined {
  const at = unit.lastIndexOf(ofRelease);
  return at < 0 ? undefined : unit.slice(0, at);
}

/** Names of the objects that describe a unit, one in the other: `NAMESPACE/NAME`, `HelmRelease/NAMESPACE/NAME`. Wherever they stand they are the same. */
export const descriptionsOf = (unit: string): readonly string[] => unit.split('#').slice(1);

/** Whether an object is applied for a place of the inventory, or for what is described there: older agents noted no more of a HelmRelease. */
export const isOfPlace = (origin: Origin, place: string | undefined): boolean =>
  place !== undefined && placesOf(unitOf(origin)).includes(place);

/** A unit that an object describes is called after the file or unit that describes it: `FILE#NAMESPACE/NAME`. It is gone only where that can be read. */
export function placesOf(unit: string): readonly string[] {
  const places = [unit];
  for (let at = unit.lastIndexOf('#'); at > 0; at = unit.lastIndexOf('#', at - 1)) places.push(unit.slice(0, at));
  return places;
}

/** What describes a unit, for people: `Kustomization flux-system/apps` or `Application argocd/shop`. */
export function describedName(unit: string): string {
  const name = descriptionsOf(unit).at(-1) ?? '';
  // Of one of several sources the Application is named.
  const [, kind, rest] = /^(Application|ApplicationSet)\/([^:]*)/.exec(name) ?? [];
  return kind === undefined ? `Kustomization ${name}` : `${kind} ${rest ?? ''}`;
}

/** The file that the first of them stands in. */
export const fileOfUnit = (unit: string): string => placesOf(unit).at(-1) ?? unit;

export interface Manifest {
  readonly object: KubeObject;
  readonly origin: Origin;
  /**
   * It is made with what Git does not say in the open. The text goes into hashes of it, so that nobody who reads those finds out what by trying;
   * empty where no hash leaves the process. Absent: Git says all of it.
   */
  readonly sealed?: string;
  /** Why nothing but its name is known: it is encrypted, and cannot be decrypted. It is not sent. Absent: all of it is known. */
  readonly locked?: Problem;
}

/** One thing wrong with what stands in Git, ready to be shown: `apps/canary.yaml:14 spec.provider: unknown router "istoi"`. */
export interface Problem {
  readonly severity: 'error' | 'warning';
  readonly path: string;
  readonly line: number;
  /** What is wrong. */
  readonly message: string;
  /** What to do about it; absent where the message says it. */
  readonly hint?: string;
  /** The field that it is about, of the object of this name. Absent: no field. */
  readonly place?: { readonly object: string; readonly field: string };
  /** The Canary that does something else than meant because of it, and whose events tell of it too. Absent: none. */
  readonly canary?: { readonly namespace: string; readonly name: string };
  /** What is not made because of it, as `unitOf` names it. Absent: not known. */
  readonly unit?: string;
}

export function refOf(object: KubeObject): ObjectRef {
  const { apiVersion, kind, metadata } = object;
  return metadata.namespace === undefined
    ? { apiVersion, kind, name: metadata.name }
    : { apiVersion, kind, namespace: metadata.namespace, name: metadata.name };
}

/** `apps/v1/Deployment/test/podinfo`; the same object always gives the same key. Cluster-scoped: an empty namespace part. */
export function refKey(ref: ObjectRef): string {
  return `${ref.apiVersion}/${ref.kind}/${ref.namespace ?? ''}/${ref.name}`;
}

/** The part of `apiVersion` before the slash; the empty string is the core group. */
export function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf('/');
  return slash < 0 ? '' : apiVersion.slice(0, slash);
}
