import type { KubeObject } from '../../manifest/types.ts';
import { type Json, jsonOf, listOf } from '../../lib/json.ts';
import { sameJson } from '../../lib/same-json.ts';
import { includedByPrefix, withoutToolkit } from '../labels.ts';
import { isControlledBy, ownerOf } from '../owner.ts';
import type { PrimarySource } from '../primary.ts';
import type { ServiceInput } from '../services.ts';
import { noSelector, type Target } from './target.ts';

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';
/** Says which revision a primary has; a Service has no pod template to say it in. */
const revisionAnnotation = 'serin.dev/revision';
/**
 * What makes one Service reachable and would be refused, or be one load balancer more, if another had it too. The copies are reached by
 * name from inside the cluster.
 */
const ownFields = [
  'type',
  'clusterIP',
  'clusterIPs',
  'ipFamilies',
  'ipFamilyPolicy',
  'externalIPs',
  'externalTrafficPolicy',
  'healthCheckNodePort',
  'allocateLoadBalancerNodePorts',
  'loadBalancerIP',
  'loadBalancerClass',
  'loadBalancerSourceRanges',
];

/**
 * The workloads are the user's own: a release is a change of the target Service, as a selector that turns from v1 to v2. `-canary`
 * follows it, `-primary` stays at what was promoted. Who reaches the target Service itself is not ours to say.
 */
export const service: Target = {
  kind: 'Service',
  ref: { apiVersion: 'v1', kind: 'Service' },
  services: 'copies',
  shared: 'nothing',
  tracksConfigs: false,
  selectorOf: () => noSelector,
  missing: ({ name, namespace }) => `service ${name}.${namespace} get query error: services "${name}" not found`,
  unlabelled: ({ name, namespace }) => `service ${name}.${namespace} has no selector label`,
  revised: (target) => target['spec'],
  judged: (document) => document['spec'],
  primaryRef: (ref) => ({ ...ref, name: `${ref.name}-primary` }),
  candidateOf: ({ canaryService }) => canaryService,
  leadsUsers: true,
  writePrimary: (source, primary) => ({ object: primaryOf(source, primary), over: primary }),
  runs: (primary, { target }) => sameJson(essence(target), essence(primary)),
  hasId: (primary, hash) => primary.metadata.annotations?.[revisionAnnotation] === hash,
  unborn: () => undefined,
  readiness: ({ object, name, namespace }) =>
    object ? { kind: 'ready' } : { kind: 'progressing', reason: service.missing({ name, namespace }) },
  serves: (object) => object !== undefined,
  copiesTarget: true,
  renderService: (input) => (input.role === 'canary' ? canaryOf(input) : undefined),
};

function primaryOf(
  { canary, target, templateHash, settings }: PrimarySource,
  live: KubeObject | undefined,
): KubeObject {
  const { name, namespace, labels = {}, annotations = {} } = target.metadata;
  const wanted = (values: Readonly<Record<string, string>>): Record<string, string> =>
    includedByPrefix(values, settings.includeLabelPrefix);
  const metadata = {
    ...live?.metadata,
    name: `${name}-primary`,
    ...(namespace === undefined ? {} : { namespace }),
    labels: wanted(labels),
    annotations: { ...wanted(annotations), [revisionAnnotation]: templateHash },
    // The target's owners would take the primary along.
    ownerReferences: live?.metadata.ownerReferences ?? [ownerOf(canary)],
  };
  return { ...live, apiVersion: 'v1', kind: 'Service', metadata, spec: copiedSpec(target, live) };
}

function canaryOf({ canary, target, live }: ServiceInput): KubeObject {
  const { name, namespace, labels = {}, annotations = {} } = target.metadata;
  const { [lastApplied]: _note, ...others } = annotations;
  if (live && !isControlledBy(live, canary)) {
    // Its labels and annotations are somebody else's; where it leads is what users are routed to.
    const spec = copiedSpec(target, live);
    return sameJson(spec, live['spec']) ? live : { ...live, spec };
  }
  const made: KubeObject = {
    ...live,
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      ...live?.metadata,
      name: `${name}-canary`,
      ...(namespace === undefined ? {} : { namespace }),
      labels: withoutToolkit(labels),
      annotations: withoutToolkit(others),
      ownerReferences: live?.metadata.ownerReferences ?? [ownerOf(canary)],
    },
    spec: copiedSpec(target, live),
  };
  return live && sameJson(normal(made), normal(live)) ? live : made;
}

function copiedSpec(target: KubeObject, live: KubeObject | undefined): Json {
  if (live) return { ...withFields(jsonOf(live['spec'])), ...essence(target) };
  const { clusterIP, ipFamilies, ipFamilyPolicy } = jsonOf(target['spec']);
  return {
    ...essence(target),
    ...(clusterIP === 'None' ? { clusterIP } : {}),
    ...(ipFamilies === undefined ? {} : { ipFamilies }),
    ...(ipFamilyPolicy === undefined ? {} : { ipFamilyPolicy }),
  };
}

function withFields(spec: Json): Json {
  return Object.fromEntries(Object.entries(spec).filter(([field]) => ownFields.includes(field)));
}

/** What of a Service can be copied: where it leads, and how. */
function essence({ spec: whole }: KubeObject): Json {
  const spec = jsonOf(whole);
  const copied = Object.fromEntries(Object.entries(spec).filter(([field]) => !ownFields.includes(field)));
  const isAlias = spec['type'] === 'ExternalName';
  const ports = listOf(spec['ports']).map(({ nodePort: _own, ...port }) => port);
  return { ...copied, ...(isAlias ? { type: 'ExternalName' } : {}), ...(spec['ports'] === undefined ? {} : { ports }) };
}

/** No labels and an empty map of labels are the same to the API server. */
function normal({ metadata, spec }: KubeObject): unknown {
  const { labels = {}, annotations = {}, ownerReferences } = metadata;
  return { labels, annotations, ownerReferences, spec };
}
