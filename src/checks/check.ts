import { jsonOf } from '../lib/json.ts';
import { footprintOf } from '../canary/footprint.ts';
import { namespacedName } from '../lib/key.ts';
import { faultOf } from '../manifest/contained.ts';
import type { App } from '../canary/app.ts';
import { defaultSelectorLabels } from '../canary/labels.ts';
import { routeField, routeFinder, unclearFinding } from '../canary/found-route.ts';
import { parseCanary, warningsOf } from '../canary/parse.ts';
import { targetWarnings } from '../canary/target-warnings.ts';
import type { CanarySpec } from '../canary/types.ts';
import { secretKeysOf } from './secret-keys.ts';
import { grantFinder } from './reference-grants.ts';
import { relatedObjectsOf } from './related-objects.ts';
import { AgentError, saidOf } from '../lib/errors.ts';
import { perObject } from '../lib/memo.ts';
import { nearest } from '../lib/nearest.ts';
import { atOnce } from '../lib/turns.ts';
import { readAnnotations } from '../images/annotations.ts';
import { isTakenOver, readFluxObjects } from '../images/flux-objects.ts';
import { createLineFinder } from '../manifest/locate.ts';
import { nameOf } from '../manifest/identity.ts';
import {
  type KubeObject,
  type Manifest,
  type ObjectRef,
  type Problem,
  refKey,
  refOf,
  groupOf,
} from '../manifest/types.ts';
import { BUILTIN_METRICS, isBuiltin } from '../metrics/builtin-queries.ts';
import { metricTemplateProblems } from '../metrics/check-template.ts';
import { alertProviderProblems } from '../notifiers/check-provider.ts';
import { defaultRouterSettings, providerProblem, routerFor } from '../routers/registry.ts';
import { strategyProblem } from '../routers/reconcile.ts';
import { fieldsOfOthers } from '../routers/unused-fields.ts';

export interface CheckSettings {
  readonly provider: string;
  readonly minIntervalMs: number;
  readonly defaultNamespace: string;
  /** Absent: Flagger's. */
  readonly selectorLabels?: readonly string[];
}

/** One thing wrong with a field of an object. */
interface Finding {
  readonly field: string;
  readonly message: string;
  readonly hint?: string;
  readonly severity?: 'error' | 'warning';
}

/** What can be told of an object alone. */
interface Judged {
  readonly errors: readonly Finding[];
  /** Of a Canary that can be understood. */
  readonly canary?: {
    readonly spec: CanarySpec;
    readonly target: ObjectRef;
    /** Whose Services it takes, by namespace and name; undefined: none. */
    readonly service: string | undefined;
    readonly warnings: readonly Finding[];
    readonly strategy: readonly Finding[];
    readonly references: readonly Reference[];
  };
}

/** Something else that has to be in Git. */
interface Reference {
  readonly ref: ObjectRef;
  /** Said where it is not. */
  readonly finding: Finding;
}

const judgedBy = perObject((settings: CheckSettings) => perObject((object: KubeObject) => judge(object, settings)));

/**
 * Everything that can be told of Canaries and MetricTemplates without a cluster. `apps` are those of the manifests; `textOf` gives a file's
 * text, for lines. What is told of an object alone is found once for the same object and settings.
 */
export function checkManifests(...input: Parameters<typeof checking>): readonly Problem[] {
  return atOnce(checking(...input));
}

/** As `checkManifests`; yields after each of them, so that it can be done in turns. */
export function* checking(
  manifests: readonly Manifest[],
  apps: readonly App[],
  settings: CheckSettings,
  textOf: (path: string) => string | undefined,
): Generator<void, readonly Problem[]> {
  let known: ReadonlyMap<string, KubeObject> | undefined;
  // Whatever version it is written in.
  const keyOf = (ref: ObjectRef): string => refKey({ ...ref, apiVersion: groupOf(ref.apiVersion) });
  const objectOf = (ref: ObjectRef): KubeObject | undefined =>
    (known ??= new Map(manifests.map(({ object }) => [keyOf(refOf(object)), object]))).get(keyOf(ref));
  const judged = judgedBy(settings);
  const lineOf = createLineFinder(textOf);
  const problems: Problem[] = [];
  const around = relatedObjectsOf(manifests, apps, settings.selectorLabels ?? defaultSelectorLabels);
  const tell = (manifest: Manifest, findings: readonly Finding[], canary?: Problem['canary']): void => {
    if (findings.length === 0) return;
    const { path, line } = manifest.origin;
    const { kind, metadata } = manifest.object;
    for (const { field, message, hint, severity } of findings) {
      problems.push({
        severity: severity ?? 'error',
        path,
        line: lineOf(manifest.origin, field) ?? line,
        message: `${kind} ${namespacedName(metadata)} ${field}: ${message}`,
        place: { object: nameOf(refOf(manifest.object)), field },
        ...(hint === undefined ? {} : { hint }),
        ...(canary === undefined ? {} : { canary }),
      });
    }
  };
  const appOf = new Map(apps.map((app) => [app.canary, app]));
  const routesLeadingTo = routeFinder(manifests, settings);
  const withoutGrant = grantFinder(manifests);
  const unclear = (canary: KubeObject): readonly Finding[] => {
    const routes = routesLeadingTo(canary) ?? [];
    return routes.length === 0 ? [] : [{ field: routeField, ...unclearFinding(routes) }];
  };
  let secrets: ReadonlyMap<string, Manifest> | undefined;
  const secretOf = (place: string): Manifest | undefined => {
    secrets ??= new Map(
      manifests
        .filter(({ object }) => object.kind === 'Secret' && object.apiVersion === 'v1')
        .map((manifest) => [namespacedName(manifest.object.metadata), manifest]),
    );
    return secrets.get(place);
  };
  const targets = new Map<string, Manifest>();
  const services = new Map<string, Manifest>();
  const checkOne = (manifest: Manifest): void => {
    const { errors, canary } = judged(manifest.object);
    tell(manifest, errors);
    tell(manifest, secretKeysOf(manifest.object, secretOf));
    if (!canary) return;
    const { target, service, warnings, strategy, references } = canary;
    tell(manifest, [
      ...warnings,
      ...(appOf.get(manifest)?.target ? [] : [missingTarget(target)]),
      ...strategy,
      ...(strategy.length > 0 ? [] : orElse(unclear(manifest.object), () => routesOf(canary.spec, objectOf))),
      ...withoutGrant(canary.spec),
      ...references.filter(({ ref }) => !objectOf(ref)).map(({ finding }) => finding),
    ]);
    const app = appOf.get(manifest);
    if (app?.target) tell(app.target, targetWarnings(app.target.object, canary.spec));
    if (app) for (const found of around(app, canary.spec)) tell(found.manifest, [found.finding], app.id);
    const targetKey = refKey(target);
    const other = targets.get(targetKey);
    if (other)
      tell(manifest, [
        {
          field: 'spec.targetRef',
          message: `the same target belongs to the Canary at ${other.origin.path}:${other.origin.line}`,
          hint: 'one target, one Canary',
        },
      ]);
    targets.set(targetKey, manifest);
    const namesake = service && services.get(service);
    // Whoever has its target as well has heard of it.
    if (namesake && namesake !== other)
      tell(manifest, [
        {
          field: 'spec.service.name',
          message: `the Services of this name belong to the Canary at ${namesake.origin.path}:${namesake.origin.line}`,
          hint: 'choose another name',
        },
      ]);
    if (service) services.set(service, manifest);
  };
  if (manifests.some(isTakenOver)) problems.push(...readFluxObjects(manifests, lineOf).problems);
  for (const [at, manifest] of manifests.entries()) {
    if (at % 512 === 511) yield;
    const { annotations } = manifest.object.metadata;
    if (annotations !== undefined) {
      const broken = faultOf(manifest, () => problems.push(...readAnnotations(manifest, lineOf).problems));
      if (broken) problems.push(broken);
    }
    if (!manifest.object.apiVersion.startsWith('flagger.app/')) continue;
    const fault = faultOf(manifest, () => checkOne(manifest));
    if (fault) problems.push(fault);
    yield;
  }
  return problems;
}

/** The second where the first says nothing. */
function orElse(first: readonly Finding[], second: () => readonly Finding[]): readonly Finding[] {
  return first.length > 0 ? first : second();
}

function judge(object: KubeObject, settings: CheckSettings): Judged {
  if (object.kind === 'MetricTemplate') return { errors: metricTemplateProblems(object) };
  if (object.kind === 'AlertProvider') return { errors: alertProviderProblems(object) };
  if (object.kind !== 'Canary') return { errors: [] };
  const errors = [...namesOf(object, settings.provider), ...missingAnalysis(jsonOf(object['spec']))];
  let spec: CanarySpec;
  try {
    spec = parseCanary(object, settings);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    const findings = error.details['findings'] as readonly Finding[] | undefined;
    return { errors: [...errors, ...(findings ?? [{ field: 'spec', message: error.message }])] };
  }
  const warnings = [
    ...warningsOf(object, settings.minIntervalMs),
    ...fieldsOfOthers(object, settings.provider),
    ...endedProvider(spec),
  ];
  const { serviceName } = footprintOf(object);
  const canary = {
    spec,
    target: spec.target,
    service: serviceName === undefined ? undefined : namespacedName({ namespace: spec.namespace, name: serviceName }),
    warnings: [...warnings, ...leftBehind(spec)].map((finding) => ({ ...finding, severity: 'warning' as const })),
    strategy: strategyOf(spec),
    references: referencesOf(spec),
  };
  return { errors, canary };
}

/** Both definitions ask for it. A Canary that is in a cluster without one promotes every version that starts. */
function missingAnalysis(spec: Readonly<Record<string, unknown>>): readonly Finding[] {
  const { analysis, canaryAnalysis, skipAnalysis } = spec;
  if ((analysis ?? canaryAnalysis ?? undefined) !== undefined || skipAnalysis === true) return [];
  const hint = 'write one, or skipAnalysis: true where every version that starts is to be promoted';
  return [{ field: 'spec.analysis', message: 'is missing', hint }];
}

function endedProvider(spec: CanarySpec): readonly Finding[] {
  if (providerProblem(spec.provider) !== undefined) return [];
  const { endOfLife } = routerFor(spec.provider);
  if (endOfLife === undefined) return [];
  return [
    { field: 'spec.provider', message: endOfLife, hint: 'it goes on working here; move to a provider that is kept' },
  ];
}

/** Objects of the whole cluster are owned by no Canary: users would be led to a primary that is gone. */
function leftBehind(spec: CanarySpec): readonly Finding[] {
  if (providerProblem(spec.provider) !== undefined || spec.revertOnDeletion) return [];
  const { isClusterScoped, entrance } = routerFor(spec.provider);
  if (isClusterScoped !== true) return [];
  const message = `is off: the ${entrance ?? 'route'} stays when anybody deletes this Canary otherwise than from Git, and leads to a primary that goes`;
  return [{ field: 'spec.revertOnDeletion', message, hint: 'write revertOnDeletion: true' }];
}

function strategyOf(spec: CanarySpec): readonly Finding[] {
  if (providerProblem(spec.provider) !== undefined) return [];
  const message = strategyProblem(routerFor(spec.provider), spec);
  return message === undefined ? [] : [{ field: 'spec.analysis', message }];
}

/**
 * Why no routes can be made of what Git has, in the router's own words. Where something that the Canary names is elsewhere, it is not known.
 */
function routesOf(spec: CanarySpec, objectOf: (ref: ObjectRef) => KubeObject | undefined): readonly Finding[] {
  if (providerProblem(spec.provider) !== undefined) return [];
  const { ingressRef, ingressRefs = [], routeRef, upstreamRef, service } = spec;
  const named = [ingressRef, ...ingressRefs, routeRef, upstreamRef, service.routeRef];
  if (named.some((ref) => ref && !objectOf(ref))) return [];
  const router = routerFor(spec.provider);
  const owner = { apiVersion: 'flagger.app/v1beta1', kind: 'Canary', name: spec.name, uid: '' };
  const context = { spec, owner, settings: defaultRouterSettings };
  try {
    const live = router.refs(context).map(objectOf);
    // A target that routes by itself says where to only in the cluster.
    if (router.refs(context).some((ref) => refKey(ref) === refKey(spec.target))) return [];
    router.render(context, { canaryWeight: 0, mirror: false }, live);
    return (router.warnings?.(context, live) ?? []).map((warning) => ({ ...warning, severity: 'warning' as const }));
  } catch (error) {
    if (!(error instanceof AgentError) || error.code !== 'CANARY_INVALID') throw error;
    const { field, message } = saidOf(error);
    return [{ field, message }];
  }
}

const missingTarget = ({ kind, namespace, name }: ObjectRef): Finding => ({
  field: 'spec.targetRef.name',
  message: `there is no ${kind} ${namespacedName({ namespace, name })} in Git`,
  hint: 'commit it, or correct the name',
  severity: 'warning',
});

function referencesOf(spec: CanarySpec): readonly Reference[] {
  const {
    namespace,
    ingressRef,
    routeRef,
    upstreamRef,
    analysis: { metrics, alerts },
  } = spec;
  const found: Reference[] = [...entrancesOf(spec)];
  for (const [field, ref] of Object.entries({
    ingressRef,
    routeRef,
    upstreamRef,
    'service.routeRef': spec.service.routeRef,
    ...Object.fromEntries(
      (spec.ingressRefs ?? [])
        .filter(({ name }) => ![ingressRef?.name, routeRef?.name].includes(name))
        .map((ref) => [`ingressRefs[${ref.name}]`, ref]),
    ),
  })) {
    if (!ref) continue;
    const inside = ref.namespace ?? namespace;
    const message = `there is no ${ref.kind} ${namespacedName({ namespace: inside, name: ref.name })} in Git`;
    found.push({
      ref: { ...ref, namespace: inside },
      finding: { field: `spec.${field}.name`, message, severity: 'warning' },
    });
  }
  const needs = (kind: string, named: { readonly namespace: string; readonly name: string }, field: string): void => {
    const message = `there is no ${kind} ${namespacedName(named)} in Git`;
    found.push({
      ref: { apiVersion: 'flagger.app/v1beta1', kind, ...named },
      finding: { field, message, hint: 'commit it, or correct the name', severity: 'warning' },
    });
  };
  metrics.forEach(({ templateRef }, index) => {
    if (templateRef) needs('MetricTemplate', templateRef, `spec.analysis.metrics[${index}].templateRef.name`);
  });
  alerts.forEach(({ provider }, index) => {
    needs('AlertProvider', provider, `spec.analysis.alerts[${index}].providerRef.name`);
  });
  return found;
}

/** What users are to come in by. */
function entrancesOf(spec: CanarySpec): readonly Reference[] {
  if (providerProblem(spec.provider) !== undefined) return [];
  return (routerFor(spec.provider).entrances?.(spec) ?? []).map(({ ref, field }) => ({
    ref,
    finding: {
      field,
      message: `there is no ${ref.kind} ${namespacedName(ref)} in Git`,
      hint: 'commit it, correct the name, or be sure that the cluster has it',
      severity: 'warning',
    },
  }));
}

/** What can be told of names even where the rest of the Canary cannot be understood. */
function namesOf(object: KubeObject, fallback: string): readonly Finding[] {
  const findings: Finding[] = [];
  const spec = jsonOf(object['spec']);
  const provider = spec['provider'];
  const problem = providerProblem(typeof provider === 'string' && provider !== '' ? provider : fallback);
  if (problem !== undefined)
    findings.push({ field: 'spec.provider', message: problem.replace(/^spec\.provider: /, '') });
  const metrics = jsonOf(spec['analysis'])['metrics'];
  (Array.isArray(metrics) ? metrics : []).forEach((entry: unknown, index) => {
    const { name, query, templateRef } = jsonOf(entry);
    if (typeof name !== 'string' || query !== undefined || templateRef !== undefined || isBuiltin(name)) return;
    const close = nearest(name, BUILTIN_METRICS);
    findings.push({
      field: `spec.analysis.metrics[${index}].name`,
      message: `no metric is called "${name}"`,
      hint: `${close === undefined ? '' : `did you mean ${close}? `}use ${BUILTIN_METRICS.join(' or ')}, or give it a query or a templateRef`,
    });
  });
  return findings;
}
