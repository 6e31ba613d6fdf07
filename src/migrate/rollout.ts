import { parseGoDuration, formatGoDuration } from '../lib/duration.ts';
import { at, isRecord, type Json, jsonOf, listOf, textOf, textsOf } from '../lib/json.ts';
import { own } from '../lib/own.ts';
import type { KubeObject } from '../manifest/types.ts';
import type { ConvertedTemplate } from './analysis-template.ts';
import { leadsTo, missingThePrimary, primaryLabel } from './selected.ts';
import { convertRouting, type Routing } from './routing.ts';
import { type Changes, createNotes, type Found, type Note, type World } from './types.ts';

export interface RolloutContext {
  readonly world: World;
  readonly changes: Changes;
  /** AnalysisTemplates of these files, by name; those of the cluster by `cluster/NAME`. */
  readonly template: (
    name: string,
    isClusters: boolean,
    namespace: string | undefined,
  ) => ConvertedTemplate | undefined;
}

export interface ConvertedRollout {
  readonly canary: KubeObject;
  /** Absent: it stands elsewhere already (`workloadRef`). */
  readonly deployment?: KubeObject;
  /** In one sentence, what the Canary does. */
  readonly text: string;
  readonly notes: readonly Note[];
}

type Say = (level: Note['level'], field: string, text: string) => void;

const deploymentFields = [
  'replicas',
  'selector',
  'template',
  'minReadySeconds',
  'revisionHistoryLimit',
  'progressDeadlineSeconds',
];
const defaultIntervalMs = 60_000;

/** A Rollout as Deployment and Canary. `refused`: it cannot be, and why. */
export function convertRollout(
  found: Found,
  context: RolloutContext,
): ConvertedRollout | { readonly refused: string; readonly notes: readonly Note[] } {
  const { object } = found;
  const notes = createNotes(found);
  const spec = jsonOf(object['spec']);
  const strategy = jsonOf(spec['strategy']);
  const isBlueGreen = isRecord(strategy['blueGreen']);
  const kind = isBlueGreen ? 'blueGreen' : 'canary';
  const plan = jsonOf(strategy[kind]);
  const refuse = (field: string, text: string) => {
    notes.say('by-hand', field, text);
    return { refused: text, notes: notes.list };
  };
  const say: Say = (level, field, text) => notes.say(level, `spec.strategy.${kind}.${field}`, text);
  const { namespace, name } = object.metadata;

  const owner = workloadOf(found, context);
  if ('refused' in owner) return refuse(owner.field, owner.refused);
  const { deployment, target, isElsewhere } = owner;
  sayOfSpec(spec, (level, field, text) => notes.say(level, `spec.${field}`, text));

  const named = isBlueGreen
    ? { stable: textOf(plan['activeService']), canary: textOf(plan['previewService']) }
    : {
        stable: textOf(at(plan, 'trafficRouting', 'smi', 'rootService')) ?? textOf(plan['stableService']),
        canary: textOf(plan['canaryService']),
      };
  const service = serviceOf(named.stable, { namespace, deployment, world: context.world });
  if (!service) {
    const field =
      named.stable === undefined
        ? `spec.strategy.${kind}`
        : `spec.strategy.${kind}.${isBlueGreen ? 'activeService' : 'stableService'}`;
    const what =
      named.stable === undefined
        ? 'no Service leads to its pods, and they have no port'
        : `Service ${named.stable} is not in these files`;
    return refuse(field, `${what}: a Canary has to name a port`);
  }
  if (service.isNew)
    notes.say(
      'told',
      'spec.template',
      `no Service of these files leads to its pods: the Canary makes one, ${service.name}`,
    );
  if (primaryLabel(deployment) === undefined)
    notes.say(
      'by-hand',
      'spec.selector',
      'it selects by none of the labels app, name and app.kubernetes.io/name: set --selector-labels to one that it has',
    );
  const routing = isBlueGreen
    ? ({ provider: 'kubernetes', service: {}, spec: {}, hasWeights: false } satisfies Routing)
    : convertRouting({
        trafficRouting: jsonOf(plan['trafficRouting']),
        namespace,
        apex: service.name,
        canaryService: named.canary,
        world: context.world,
        changes: context.changes,
        say,
      });
  if ('refused' in routing) return refuse(`spec.strategy.${kind}.${routing.field}`, routing.refused);

  for (const { found: other, text } of missingThePrimary(deployment, context.world, [service.name, named.canary]))
    notes.list.push({ level: 'by-hand', path: other.path, line: other.line, text });
  const judge = createJudge(found, context, { say, apex: service.name, canaryService: named.canary });
  const analysis = isBlueGreen ? blueGreenAnalysis(plan, judge, say) : canaryAnalysis(plan, routing, judge, say);
  sayOfPlan(plan, kind, say);
  settleCanaryService(named.canary, service.name, { namespace, context, say, kind });
  const scaler = scalerOf(target, { namespace, rollout: name, context });
  const canary: KubeObject = {
    apiVersion: 'flagger.app/v1beta1',
    kind: 'Canary',
    metadata: { name: target, ...(namespace === undefined ? {} : { namespace }) },
    spec: {
      provider: routing.provider,
      targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: target },
      ...(scaler ? { autoscalerRef: scaler } : {}),
      ...routing.spec,
      progressDeadlineSeconds: Number(spec['progressDeadlineSeconds'] ?? 600),
      service: { name: service.name, ...service.ports, ...routing.service },
      ...(spec['paused'] === true ? { suspend: true } : {}),
      ...analysis.spec,
      analysis: analysis.analysis,
    },
  };
  return { canary, ...(isElsewhere ? {} : { deployment }), text: analysis.text, notes: notes.list };
}

interface Owner {
  readonly deployment: KubeObject;
  readonly target: string;
  readonly isElsewhere: boolean;
}

/** The Deployment: made of the Rollout, or the one that it names. */
function workloadOf(
  found: Found,
  { world, changes }: RolloutContext,
): Owner | { readonly refused: string; readonly field: string } {
  const { object } = found;
  const spec = jsonOf(object['spec']);
  const reference = spec['workloadRef'];
  if (!isRecord(reference)) {
    const kept = Object.fromEntries(
      deploymentFields.flatMap((field) => (spec[field] === undefined ? [] : [[field, spec[field]]])),
    );
    const canary = jsonOf(at(spec, 'strategy', 'canary'));
    const rolling = Object.fromEntries(
      ['maxSurge', 'maxUnavailable'].flatMap((field) => (canary[field] === undefined ? [] : [[field, canary[field]]])),
    );
    const annotations = Object.fromEntries(
      Object.entries(object.metadata.annotations ?? {}).filter(([key]) => !key.includes('argoproj.io/')),
    );
    const { annotations: _old, ...metadata } = object.metadata;
    const deployment: KubeObject = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { ...metadata, ...(Object.keys(annotations).length > 0 ? { annotations } : {}) },
      spec: {
        ...kept,
        ...(Object.keys(rolling).length > 0 ? { strategy: { type: 'RollingUpdate', rollingUpdate: rolling } } : {}),
      },
    };
    return { deployment, target: object.metadata.name, isElsewhere: false };
  }
  const [kind, name] = [textOf(reference['kind']), textOf(reference['name']) ?? ''];
  const field = 'spec.workloadRef';
  if (kind !== 'Deployment')
    return { refused: `workloadRef names a ${kind ?? 'workload'}: only Deployments can be taken over`, field };
  const workload = world.find('Deployment', name, object.metadata.namespace);
  if (!workload) return { refused: `Deployment ${name}, which workloadRef names, is not in these files`, field };
  // Argo Rollouts scales it to nothing, and runs its pods itself.
  const replicas = spec['replicas'];
  if (replicas !== undefined && at(workload.object, 'spec', 'replicas') !== replicas)
    changes.set(workload, {
      kind: 'edit',
      to: { ...workload.object, spec: { ...jsonOf(workload.object['spec']), replicas } },
      text: 'gets back the pods that the Rollout ran',
    });
  return { deployment: workload.object, target: name, isElsewhere: true };
}

/** What of a Rollout's spec has no equal. */
function sayOfSpec(spec: Json, say: Say): void {
  const texts: Readonly<Record<string, string>> = {
    restartAt: 'restart by `kubectl rollout restart`, or by a change of the template in Git',
    rollbackWindow:
      'going back without an analysis is --rollback-window of the agent, a time and no number of revisions',
    progressDeadlineAbort: 'a version that is not ready in time is always rolled back',
    analysis: 'runs are kept in Git, as outcomes',
  };
  for (const [field, text] of Object.entries(texts))
    if (spec[field] !== undefined) say('told', field, `${field}: ${text}`);
  if (spec['paused'] === true) say('told', 'paused', 'paused: the Canary has suspend: true');
  const known = [...deploymentFields, ...Object.keys(texts), 'paused', 'strategy', 'workloadRef'];
  for (const field of Object.keys(spec))
    if (!known.includes(field)) say('by-hand', field, `${field} is not known, and is not taken over`);
}

const planTexts: Readonly<Record<string, string>> = {
  canaryMetadata: 'labels of the canary’s pods alone have no equal: the primary has its own label, app: NAME-primary',
  stableMetadata: 'labels of the primary’s pods alone have no equal: they have app: NAME-primary',
  activeMetadata: 'labels of the primary’s pods alone have no equal: they have app: NAME-primary',
  previewMetadata: 'labels of the canary’s pods alone have no equal: the primary has its own label, app: NAME-primary',
  antiAffinity: 'write affinity into the pod template; the primary’s is made from it',
  scaleDownDelaySeconds:
    'the canary is scaled to nothing when its users have gone; give pods a preStop for proxies that are slow',
  scaleDownDelayRevisionLimit: 'one version stays, the primary',
  abortScaleDownDelaySeconds: 'the canary is scaled to nothing when its users have gone',
  dynamicStableScale: 'the primary stays at its size',
  minPodsPerReplicaSet: 'the canary has as many pods as the Deployment says',
  pingPong: 'promoting copies the template to the primary; there is one way to do it',
  replicaProgressThreshold: 'all pods have to be ready, but for primaryReadyThreshold and canaryReadyThreshold',
  previewReplicaCount: 'the canary has as many pods as the Deployment says',
  scaleDownOnAbort: 'the canary is scaled to nothing',
  abortScaleDownDelay: 'the canary is scaled to nothing when its users have gone',
};

const planFields =
  'steps trafficRouting analysis canaryService stableService maxSurge maxUnavailable activeService previewService autoPromotionEnabled autoPromotionSeconds prePromotionAnalysis postPromotionAnalysis'.split(
    ' ',
  );

function sayOfPlan(plan: Json, kind: string, say: Say): void {
  for (const field of Object.keys(plan)) {
    const text = own(planTexts, field);
    if (text !== undefined) say('told', field, `${field} has no effect: ${text}`);
    else if (!planFields.includes(field))
      say('by-hand', field, `${field} of ${kind} is not known, and is not taken over`);
  }
  if (kind === 'blueGreen' && plan['maxUnavailable'] !== undefined)
    say('told', 'maxUnavailable', 'maxUnavailable stays out: write it into strategy.rollingUpdate of the Deployment');
}

interface ApexService {
  readonly name: string;
  /** None of these files make it. */
  readonly isNew: boolean;
  readonly ports: Json;
}

/** The Service that users come by, and its port as a Canary says it. Undefined: the one that is named is not there, or there is no port at all. */
function serviceOf(
  name: string | undefined,
  {
    namespace,
    deployment,
    world,
  }: { readonly namespace: string | undefined; readonly deployment: KubeObject; readonly world: World },
): ApexService | undefined {
  const labels = textsOf(at(deployment, 'spec', 'template', 'metadata', 'labels'));
  const found =
    name === undefined
      ? world.all.find(
          ({ object }) =>
            object.kind === 'Service' && object.metadata.namespace === namespace && leadsTo(object, labels),
        )
      : world.find('Service', name, namespace);
  if (!found) return name === undefined ? newService(deployment) : undefined;
  const ports = listOf(at(found.object, 'spec', 'ports'));
  const [port] = ports;
  if (typeof port?.['port'] !== 'number') return undefined;
  const portName = textOf(port['name']);
  return {
    name: found.object.metadata.name,
    isNew: false,
    ports: {
      port: port['port'],
      ...(portName === undefined || portName === 'http' ? {} : { portName }),
      ...(port['targetPort'] === undefined ? {} : { targetPort: port['targetPort'] }),
      ...(textOf(port['appProtocol']) === undefined ? {} : { appProtocol: port['appProtocol'] }),
      ...(ports.length > 1 ? { portDiscovery: true } : {}),
    },
  };
}

/** The Service that Serin makes, at the first port of its containers. */
function newService(deployment: KubeObject): ApexService | undefined {
  const containers = listOf(at(deployment, 'spec', 'template', 'spec', 'containers'));
  const port = containers
    .flatMap(({ ports }) => listOf(ports))
    .find(({ containerPort }) => typeof containerPort === 'number');
  return port && { name: deployment.metadata.name, isNew: true, ports: { port: port['containerPort'] } };
}

/** The Service of the canary is one that Serin makes. */
function settleCanaryService(
  name: string | undefined,
  apex: string,
  {
    namespace,
    context,
    say,
    kind,
  }: {
    readonly namespace: string | undefined;
    readonly context: RolloutContext;
    readonly say: Say;
    readonly kind: string;
  },
): void {
  if (name === undefined || name === apex) return;
  const field = kind === 'blueGreen' ? 'previewService' : 'canaryService';
  const found = context.world.find('Service', name, namespace);
  if (name === `${apex}-canary` && found) {
    context.changes.set(found, { kind: 'replace', by: [] });
    return;
  }
  say(
    'told',
    field,
    `${name} is not used any more: Serin makes ${apex}-canary. Lead tests and previews there, and take ${name} out of Git`,
  );
}

/** The autoscaler of the Rollout, which scales the Deployment from now on. */
function scalerOf(
  target: string,
  {
    namespace,
    rollout,
    context,
  }: { readonly namespace: string | undefined; readonly rollout: string; readonly context: RolloutContext },
): Json | undefined {
  for (const found of context.world.all) {
    const { object } = found;
    if (!['HorizontalPodAutoscaler', 'ScaledObject'].includes(object.kind) || object.metadata.namespace !== namespace)
      continue;
    const reference = jsonOf(at(object, 'spec', 'scaleTargetRef'));
    const isRollouts = reference['kind'] === 'Rollout' && reference['name'] === rollout;
    if (!isRollouts && !(reference['kind'] === 'Deployment' && reference['name'] === target)) continue;
    if (isRollouts) {
      const scaleTargetRef = { ...reference, apiVersion: 'apps/v1', kind: 'Deployment', name: target };
      context.changes.set(found, {
        kind: 'edit',
        to: { ...object, spec: { ...jsonOf(object['spec']), scaleTargetRef } },
        text: `scales Deployment ${target}`,
      });
    }
    return { apiVersion: object.apiVersion, kind: object.kind, name: object.metadata.name };
  }
  return undefined;
}

/** `5m`, and not `5m0s`. */
const shownDuration = (ms: number): string => formatGoDuration(ms).replace(/m0s$/, 'm').replace(/h0m$/, 'h');

const times = (count: number): string => (count === 1 ? 'once' : `${count} times`);

interface Judge {
  /** Adds the metrics of a reference to templates; `field` below the strategy. */
  add(reference: Json, field: string): void;
  readonly metrics: readonly Json[];
  threshold(): number;
  /** Something was to be judged. */
  readonly wasAsked: boolean;
}

interface JudgeContext {
  readonly say: Say;
  readonly apex: string;
  readonly canaryService: string | undefined;
}

function createJudge({ object }: Found, context: RolloutContext, { say, apex, canaryService }: JudgeContext): Judge {
  const metrics: Json[] = [];
  let borne = 0;
  let wasAsked = false;
  return {
    metrics,
    get wasAsked() {
      return wasAsked;
    },
    threshold: () => borne + 1,
    add(reference, field) {
      const given = new Map<string, string>();
      for (const [index, arg] of listOf(reference['args']).entries()) {
        const name = textOf(arg['name']) ?? '';
        if (typeof arg['value'] === 'string') given.set(name, arg['value']);
        else
          say(
            'by-hand',
            `${field}.args[${index}]`,
            `the argument ${name} comes from a field of the Rollout or its pods; write its value into templateVariables of the Canary`,
          );
      }
      for (const one of listOf(reference['templates'])) {
        wasAsked = true;
        // As older versions write it.
        const ofCluster = textOf(one['clusterTemplateName']);
        const name = textOf(one['templateName']) ?? ofCluster ?? '';
        const template = context.template(
          name,
          one['clusterScope'] === true || ofCluster !== undefined,
          object.metadata.namespace,
        );
        if (!template) {
          say(
            'by-hand',
            field,
            `AnalysisTemplate ${name} is not in these files: nothing of it is judged until you write a MetricTemplate`,
          );
          continue;
        }
        if (template.metrics.length === 0)
          say('by-hand', field, `nothing of AnalysisTemplate ${name} could be taken over: nothing of it is judged`);
        for (const judged of template.metrics) {
          const { metadata } = judged.template;
          if (metrics.some((metric) => metric['name'] === metadata.name)) continue;
          borne = Math.max(borne, judged.failureLimit);
          const values: Record<string, string> = {};
          for (const [arg, variable] of judged.variables) {
            const value = given.get(arg) ?? template.defaults.get(arg);
            if (value === undefined)
              say(
                'by-hand',
                field,
                `the argument ${arg} of ${name} has no value: write it into templateVariables of the Canary`,
              );
            else values[variable] = value;
            const isOld =
              canaryService !== undefined && canaryService !== `${apex}-canary` && value?.includes(canaryService);
            if (isOld)
              say(
                'by-hand',
                field,
                `the argument ${arg} of ${name} names ${canaryService}, which no canary is behind any more: ${apex}-canary is`,
              );
          }
          metrics.push({
            name: metadata.name,
            templateRef: {
              name: metadata.name,
              ...(metadata.namespace === object.metadata.namespace || metadata.namespace === undefined
                ? {}
                : { namespace: metadata.namespace }),
            },
            thresholdRange: judged.bounds,
            interval: judged.interval ?? '1m',
            ...(Object.keys(values).length > 0 ? { templateVariables: values } : {}),
          });
        }
      }
    },
  };
}

interface Analysis {
  readonly analysis: Json;
  /** Fields of `spec` beside the analysis. */
  readonly spec: Json;
  readonly text: string;
}

const gate = (name: string, type: string): Json => ({ name, type, url: 'http://serin.serin/gate/check' });
const openIt = 'opened by `serin gate open`, and closed again by hand: an open gate lets the next release through, too';

function canaryAnalysis(plan: Json, { hasWeights }: Routing, judge: Judge, say: Say): Analysis {
  const steps = [...listOf(plan['steps'])];
  const weights: number[] = [];
  const pausesMs: number[] = [];
  const gates = new Map<string, Json>();
  const lastWeight = steps.findLastIndex(({ setWeight }) => typeof setWeight === 'number' && setWeight < 100);
  if (isRecord(plan['analysis'])) {
    judge.add(plan['analysis'], 'analysis');
    if (plan['analysis']['startingStep'] !== undefined)
      say('told', 'analysis.startingStep', 'startingStep has no effect: it is judged from the first step on');
  }
  // A last step to everybody is the promotion itself.
  if (steps.at(-1)?.['setWeight'] === 100) steps.pop();
  for (const [index, step] of steps.entries()) {
    const field = `steps[${index}]`;
    const [kind = ''] = Object.keys(step);
    const given = step[kind];
    if (kind === 'setWeight' && typeof given === 'number') {
      if (given > (weights.at(-1) ?? 0)) weights.push(Math.min(100, given));
      else if (given > 0) say('by-hand', field, `setWeight ${given} is no more than the step before: steps only grow`);
    } else if (kind === 'pause') {
      const ms = pauseMs(jsonOf(given)['duration']);
      if (ms === 'forever') {
        const type =
          index > lastWeight || (!hasWeights && weights.length > 0)
            ? 'confirm-promotion'
            : weights.length === 0
              ? 'confirm-rollout'
              : 'confirm-traffic-increase';
        gates.set(type, gate(type, type));
        const each =
          type === 'confirm-traffic-increase' ? ' It is asked before each step, not before this one only.' : '';
        say('told', field, `a pause without an end is a gate of type ${type}, ${openIt}.${each}`);
      } else if (ms === undefined) say('by-hand', field, 'the duration of this pause cannot be read');
      else pausesMs.push(ms);
    } else if (kind === 'analysis') judge.add(jsonOf(given), field);
    else
      say(
        kind === 'setCanaryScale' ? 'told' : 'by-hand',
        field,
        stepTexts.get(kind) ?? `${kind} is not known, and is not taken over`,
      );
  }
  const intervalMs = Math.max(...pausesMs, 0) || defaultIntervalMs;
  const interval = shownDuration(intervalMs);
  if (new Set(pausesMs).size > 1)
    say(
      'told',
      'steps',
      `pauses of ${[...new Set(pausesMs)].map(shownDuration).join(', ')} become one interval, the longest: ${interval}`,
    );
  const iterations = Math.max(1, weights.length);
  const judged: Json = {
    interval,
    threshold: judge.threshold(),
    ...(hasWeights && weights.length > 0 ? { stepWeights: weights } : { iterations }),
    metrics: judge.metrics,
    ...(gates.size > 0 ? { webhooks: [...gates.values()] } : {}),
  };
  if (judge.wasAsked && judge.metrics.length === 0)
    say(
      'by-hand',
      'steps',
      'nothing of what was judged could be taken over: the Canary would promote whatever becomes ready',
    );
  if (!judge.wasAsked)
    say(
      'told',
      'steps',
      'nothing is judged, as before: the Canary promotes what becomes ready. request-success-rate and request-duration of the provider are one line each',
    );
  if (steps.length === 0) {
    say('told', '', 'it has no steps: the Canary promotes as soon as the new version is ready (skipAnalysis)');
    return {
      analysis: { ...judged, iterations: 1 },
      spec: { skipAnalysis: true },
      text: 'what becomes ready is promoted',
    };
  }
  if (!hasWeights) {
    say(
      'told',
      'steps',
      `without traffic routing, weights were shares of pods. Here the new version is judged beside the old one ${times(iterations)}, ${interval} each, and then gets all users (provider kubernetes); name a provider for shares`,
    );
    return {
      analysis: judged,
      spec: {},
      text: `the new version is judged ${times(iterations)}, ${interval} each, and then gets all users`,
    };
  }
  return { analysis: judged, spec: {}, text: `${weights.join(', ')} % of users, ${interval} each` };
}

const stepTexts: ReadonlyMap<string, string> = new Map([
  ['setCanaryScale', 'setCanaryScale has no effect: the canary has as many pods as the Deployment says'],
  ['experiment', 'experiments have no equal: what they judged has to become metrics of the Canary'],
  [
    'setHeaderRoute',
    'write analysis.match with iterations: users with a header test the version, and nobody else, until it is promoted',
  ],
  ['setMirrorRoute', 'write analysis.mirror: true: the canary gets copies of the requests first'],
  ['plugin', 'plugins of steps have no equal: call what they do by a webhook'],
  ['replicaProgressThreshold', 'write canaryReadyThreshold: a share of pods that has to be ready'],
]);

/** As Argo Rollouts reads it: a number of seconds, or a duration. Undefined: it is none. */
function pauseMs(duration: unknown): number | 'forever' | undefined {
  if (duration === undefined || duration === null) return 'forever';
  if (typeof duration === 'number') return duration > 0 ? duration * 1_000 : undefined;
  if (typeof duration !== 'string') return undefined;
  return /^\d+$/.test(duration) ? Number(duration) * 1_000 : parseGoDuration(duration);
}

function blueGreenAnalysis(plan: Json, judge: Judge, say: Say): Analysis {
  for (const field of ['prePromotionAnalysis', 'postPromotionAnalysis'])
    if (isRecord(plan[field])) judge.add(plan[field], field);
  if (plan['postPromotionAnalysis'] !== undefined)
    say(
      'by-hand',
      'postPromotionAnalysis',
      'what was judged after the switch is judged before it, on the preview: nothing is judged afterwards. It needs traffic there: order a load (webhook of type rollout)',
    );
  const seconds = Number(plan['autoPromotionSeconds'] ?? 0);
  const intervalMs = seconds > 0 ? Math.max(seconds * 1_000, 10_000) : 30_000;
  const isManual = plan['autoPromotionEnabled'] === false && !(seconds > 0);
  if (isManual) say('told', 'autoPromotionEnabled', `the switch waits for a gate of type confirm-promotion, ${openIt}`);
  const interval = shownDuration(intervalMs);
  const iterations = judge.metrics.length > 0 ? 2 : 1;
  return {
    analysis: {
      interval,
      threshold: judge.threshold(),
      iterations,
      metrics: judge.metrics,
      ...(isManual ? { webhooks: [gate('confirm-promotion', 'confirm-promotion')] } : {}),
    },
    spec: {},
    text: `the new version stands at NAME-canary for ${times(iterations)} ${interval}, and then gets all users`,
  };
}
