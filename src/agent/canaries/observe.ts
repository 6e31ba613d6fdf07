import { cookiesAt } from '../../canary/affinity.ts';
import { possibleCopies } from '../../canary/config-copies.ts';
import { configRefsOf } from '../../canary/configs.ts';
import { podLabels, type SelectorLabel } from '../../canary/labels.ts';
import { overlapOf, type Workload } from '../../canary/overlap.ts';
import { at, textOf } from '../../lib/json.ts';
import { baseName, canaryName, isPrimaryName, primaryName } from '../../canary/names.ts';
import { ownerOf } from '../../canary/owner.ts';
import { hasSeveralPorts } from '../../canary/ports.ts';
import { parseStatus } from '../../canary/status.ts';
import { forEveryone, isForEveryone } from '../../canary/strategy.ts';
import { targets } from '../../canary/targets/registry.ts';
import { isInitialized } from '../../canary/phase.ts';
import type { CanarySpec, ConfigKey, ConfigSeen, FormerScaler, Seen } from '../../canary/types.ts';
import { perObject } from '../../lib/memo.ts';
import type { KubeObject, ObjectRef } from '../../manifest/types.ts';
import { hasDrifted } from '../../routers/drift.ts';
import { lacksBeforePods } from '../../routers/reconcile.ts';
import type { LiveObjects, PodLabels, RouteContext, Router } from '../../routers/router.ts';
import type { AgentSettings } from '../deps.ts';
import type { Views } from '../views/views.ts';

export interface Observed {
  readonly seen: Seen;
  readonly route: RouteContext;
  readonly liveRoutes: LiveObjects;
}

/** What is known of a canary without a look at the cluster. */
export type Known = Pick<
  Seen,
  | 'nowMs'
  | 'canary'
  | 'desiredReplicas'
  | 'answers'
  | 'ledTo'
  | 'isFirstLook'
  | 'restMs'
  | 'isGateOpened'
  | 'lastFailedCheck'
  | 'recorded'
  | 'isPushedAgain'
  | 'isRejectedTip'
  | 'isUnapplied'
  | 'releaseId'
  | 'underWay'
  | 'isSuspensionTold'
>;

export interface ObserveInput {
  readonly views: Views;
  readonly settings: AgentSettings;
  readonly router: Router;
  readonly spec: CanarySpec;
  readonly known: Known;
  /** Workloads of a namespace, as Git has them. */
  readonly workloadsInGit: (namespace: string) => readonly Workload[];
  /** Told which ConfigMaps and Secrets count before they are looked at, so that no change of them is missed. */
  readonly noteConfigs: (configs: readonly ConfigKey[]) => void;
}

/** Reads the world of one canary from the cached views: no request to the API server. */
export async function observe(input: ObserveInput): Promise<Observed> {
  const { views, settings, router, spec, known, noteConfigs } = input;
  const { namespace, target, service } = spec;
  const { canary } = known;
  const owner = ownerOf(canary);
  const status = parseStatus(canary);
  const kind = targets[spec.targetKind];
  const serviceRef = (name: string): ObjectRef => ({ apiVersion: 'v1', kind: 'Service', namespace, name });
  const apexRef = serviceRef(service.name);
  const [apexNow] = await views.objects([apexRef]);
  const routed = kind.scaling && hasSeveralPorts(spec, apexNow, canary) ? withSeveralPorts(spec) : spec;
  const named: RouteContext = {
    spec: isForEveryone({ spec, status }) ? forEveryone(routed) : routed,
    owner,
    settings: settings.routing,
  };
  const [targetObject, ...liveRoutes] = await views.objects([target, ...router.refs(named)]);
  const primaryRef = kind.primaryRef(target, targetObject);
  const split = router.read(named, liveRoutes);
  const cookieSource = { spec, status, uid: owner.uid };
  const cookies = cookiesAt(cookieSource, split?.canaryWeight ?? 0);
  const scalerRef = spec.autoscaler?.ref;
  const [primary, candidate, scaler, primaryScaler, apexService, primaryService, canaryService] = await views.objects([
    primaryRef,
    kind.candidateRef?.(target, targetObject),
    scalerRef,
    scalerRef && { ...scalerRef, name: primaryName(scalerRef.name) },
    apexRef,
    serviceRef(primaryName(service.name)),
    serviceRef(canaryName(service.name)),
  ]);
  const selector = targetObject && kind.selectorOf(targetObject, settings.selectorLabels);
  const pods = podsOf(selector, primary, primaryService);
  const route: RouteContext = { ...named, ...(cookies ? { cookies } : {}), ...(pods ? { pods } : {}) };
  const formers = formerScalers(views.scalersOf(canary), primaryRef?.name, spec.autoscaler?.ref);
  const formerSources = await views.objects(
    formers.map(({ metadata, apiVersion, kind: scalerKind }) => ({
      apiVersion,
      kind: scalerKind,
      namespace,
      name: isPrimaryName(metadata.name) ? baseName(metadata.name) : metadata.name,
    })),
  );
  const configs = new Map<ConfigKey, ConfigSeen>();
  let copies: readonly ConfigKey[] = [];
  if (settings.configTracking && kind.tracksConfigs && targetObject) {
    const sources = configRefsOf(targetObject).map(({ key }) => key);
    copies = possibleCopies(sources, canary);
    const wanted = [...sources, ...copies, ...views.configsOf(canary)];
    noteConfigs(wanted);
    for (const key of wanted) {
      const config = await views.config(namespace, key);
      if (config) configs.set(key, config);
    }
  }
  const ownCopies = [...configs].filter(([, { canaries }]) => canaries?.includes(owner.uid)).map(([key]) => key);
  const readByOthers = await views.readByOthers(namespace, [...copies, ...ownCopies], primaryRef);
  const overlap = overlapIn(input, targetObject);
  const seen: Seen = {
    ...known,
    target: targetObject,
    primary,
    ...(candidate === undefined ? {} : { candidate }),
    ...(scaler === undefined ? {} : { scaler }),
    ...(primaryScaler === undefined ? {} : { primaryScaler }),
    ...(formers.length === 0 ? {} : { formerScalers: withSources(formers, formerSources) }),
    apexService,
    primaryService,
    canaryService,
    split,
    routeTrouble: router.trouble?.(route, liveRoutes),
    routeDrift: hasDrifted(router, route, liveRoutes),
    ...(!isInitialized(status.phase) && lacksBeforePods(router, route, liveRoutes) ? { lacksBeforePods: true } : {}),
    configs,
    ownCopies,
    readByOthers,
    ...(overlap === undefined ? {} : { overlap }),
  };
  return { seen, route, liveRoutes };
}

/** Routes have to name the port where the Services have several, whoever asked for them. */
const withSeveralPorts = perObject(
  (spec: CanarySpec): CanarySpec => ({ ...spec, service: { ...spec.service, portDiscovery: true } }),
);

/** By which labels routers that know pods tell those of the two versions. Undefined: others make them. */
function podsOf(
  selector: SelectorLabel | undefined,
  primary: KubeObject | undefined,
  service: KubeObject | undefined,
): PodLabels | undefined {
  if (!selector || selector.label === '') return undefined;
  return {
    primary: podLabels({ selector, leadsTo: 'primary', primary, service }),
    canary: podLabels({ selector, leadsTo: 'canary', primary, service: undefined }),
  };
}

/** Only before the first Service is written: of a Canary that has its users it would be too late. */
function overlapIn(
  { views, settings: { selectorLabels }, spec, known: { canary }, workloadsInGit }: ObserveInput,
  target: KubeObject | undefined,
): string | undefined {
  const { phase } = parseStatus(canary);
  const selector = target && targets[spec.targetKind].selectorOf(target, selectorLabels);
  if (!selector || isInitialized(phase)) return undefined;
  const live = views.deployments.list(spec.namespace);
  const primaries = new Set(live.map(({ metadata }) => metadata.name));
  const workloads = [
    ...live.map((object) => ({ object, isReleased: primaries.has(primaryName(object.metadata.name)) })),
    ...workloadsInGit(spec.namespace),
  ];
  return overlapOf({ target, selector, workloads, selectorLabels });
}

/** Of those that scale this primary, all but the copy that is asked for now. */
function formerScalers(
  owned: readonly KubeObject[],
  primary: string | undefined,
  wanted: ObjectRef | undefined,
): readonly KubeObject[] {
  return owned.filter(
    (scaler) =>
      textOf(at(scaler, 'spec', 'scaleTargetRef', 'name')) === primary &&
      (scaler.kind !== wanted?.kind || scaler.metadata.name !== primaryName(wanted.name)),
  );
}

function withSources(
  copies: readonly KubeObject[],
  sources: readonly (KubeObject | undefined)[],
): readonly FormerScaler[] {
  return copies.map((copy, index) => {
    const source = sources[index];
    return source ? { copy, source } : { copy };
  });
}
