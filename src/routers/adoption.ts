import { own } from '../lib/own.ts';
import { AgentError } from '../lib/errors.ts';
import { canonicalJson } from '../lib/hash.ts';
import type { KubeObject } from '../manifest/types.ts';
import type { CanarySpec } from '../canary/types.ts';
import { jsonOf } from '../lib/json.ts';
import { canaryName, LAST_APPLIED, primaryName, TOOLKIT_ANNOTATIONS } from './objects.ts';
import type { RouteContext } from './router.ts';

/** The spec that users gave an object before a Canary took it over, as JSON. Flagger's key and form. */
const ORIGINAL_SPEC = 'flagger.kubernetes.io/original-configuration';
/** The same for annotations: those that a Canary sets, as they were; null where there was none. */
const ORIGINAL_ANNOTATIONS = 'serin.dev/original-annotations';

/**
 * What is written over an object that no Canary owns keeps what it was, so that it can be given back. Objects of kubectl's users
 * carry that with them.
 */
export function rememberOriginal(object: KubeObject, over: KubeObject, isRouted: boolean): KubeObject {
  if (isCanarys(over)) return object;
  const before = over.metadata.annotations ?? {};
  const known = ORIGINAL_SPEC in before || ORIGINAL_ANNOTATIONS in before;
  // What an earlier Canary left behind tells nothing of an object that was made anew since.
  const isTaken = known && isRouted;
  const isChanged = canonicalJson(object['spec']) !== canonicalJson(over['spec']);
  if (!isTaken && !isChanged) return object;
  const annotations = { ...object.metadata.annotations };
  const remembered = isTaken ? readable(before[ORIGINAL_ANNOTATIONS]) : {};
  const changed = [...new Set([...Object.keys(annotations), ...Object.keys(before)])]
    .filter(
      (key) => own(annotations, key) !== own(before, key) && key !== ORIGINAL_SPEC && key !== ORIGINAL_ANNOTATIONS,
    )
    .map((key) => [key, own(before, key) ?? null] as const);
  const originals = { ...Object.fromEntries(changed), ...remembered };
  if (Object.keys(originals).length > 0) annotations[ORIGINAL_ANNOTATIONS] = canonicalJson(originals);
  if (!isTaken && annotations[LAST_APPLIED] === undefined)
    annotations[ORIGINAL_SPEC] = JSON.stringify(over['spec'] ?? {});
  return { ...object, metadata: { ...object.metadata, annotations } };
}

/**
 * An object as its users had it; undefined where a Canary made it (it goes with that) or nothing is known. Throws AgentError
 * CANARY_INVALID where what is remembered cannot be read.
 */
export function originalOf(live: KubeObject): KubeObject | undefined {
  if (isCanarys(live)) return undefined;
  const { [ORIGINAL_SPEC]: spec, [ORIGINAL_ANNOTATIONS]: changed, ...annotations } = { ...live.metadata.annotations };
  const lastApplied = annotations[LAST_APPLIED];
  if (lastApplied === undefined && spec === undefined) return undefined;
  const restored =
    lastApplied === undefined
      ? parsed(live, ORIGINAL_SPEC, spec ?? '')
      : parsed(live, LAST_APPLIED, lastApplied)['spec'];
  const originals = parsed(live, ORIGINAL_ANNOTATIONS, changed ?? '{}');
  const kept = [
    ...Object.entries(annotations).filter(([key]) => !Object.hasOwn(originals, key)),
    ...Object.entries(originals),
  ];
  const before = Object.fromEntries(kept.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
  return { ...live, metadata: { ...live.metadata, annotations: before }, spec: restored };
}

/**
 * An object that the Canary made, given away: it leads to the apex Service alone and stays when the Canary goes. `atRest` is the same
 * object with all users at the primary and nobody told apart.
 */
export function givenAway(atRest: KubeObject, { spec, owner }: RouteContext): KubeObject {
  const { ownerReferences = [], annotations, ...metadata } = atRest.metadata;
  const others = ownerReferences.filter(({ uid }) => uid !== owner.uid);
  const kept = Object.entries(annotations ?? {}).filter(([key]) => !Object.hasOwn(TOOLKIT_ANNOTATIONS, key));
  return {
    ...atRest,
    metadata: {
      ...metadata,
      ...(kept.length > 0 ? { annotations: Object.fromEntries(kept) } : {}),
      ...(others.length > 0 ? { ownerReferences: others } : {}),
    },
    spec: withoutVersions(atRest['spec'], spec),
  };
}

/** The canary out of every list, the apex Service in the place of the primary. */
function withoutVersions(value: unknown, spec: CanarySpec): unknown {
  const [primary, apex] = [primaryName(spec), spec.service.name];
  if (value === primary) return apex;
  if (typeof value === 'string')
    return value.startsWith(`${primary}.`) ? `${apex}${value.slice(primary.length)}` : value;
  if (Array.isArray(value)) {
    const left = value.filter((item) => {
      const { name, destination } = jsonOf(item);
      return name !== canaryName(spec) && jsonOf(destination)['host'] !== canaryName(spec);
    });
    return left.map((item) => withoutVersions(item, spec));
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, withoutVersions(member, spec)]));
}

export function isCanarys({ metadata }: KubeObject): boolean {
  return (metadata.ownerReferences ?? []).some(({ kind, controller }) => kind === 'Canary' && controller === true);
}

/** Users are not kept from going where they should by an annotation. */
function readable(text: string | undefined): Readonly<Record<string, unknown>> {
  try {
    return jsonOf(JSON.parse(text ?? '{}'));
  } catch {
    return {};
  }
}

function parsed({ kind, metadata }: KubeObject, annotation: string, text: string): Readonly<Record<string, unknown>> {
  try {
    return jsonOf(JSON.parse(text));
  } catch (error) {
    const message = `${kind} ${metadata.name}.${metadata.namespace ?? ''}: annotation ${annotation} is no JSON`;
    throw new AgentError('CANARY_INVALID', message, { cause: error });
  }
}
