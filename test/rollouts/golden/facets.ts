import type { CanaryStatus } from '../../../src/canary/types.ts';
import type { KubeObject } from '../../../src/manifest/types.ts';
import type { Replayed } from './replay.ts';
import type { DeploymentSeen, RecordedObjects, Recording, ServiceChange } from './recording.ts';
import { isSight } from './sights.ts';

export const facets = [
  'lines',
  'types',
  'alerts',
  'statuses',
  'weights',
  'writes',
  'services',
  'deployments',
  'payloads',
  'sights',
  'before',
  'after',
] as const;
/** One way to look at a run, as lines of text. */
export type Facet = (typeof facets)[number];
export type Faces = Readonly<Record<Facet, readonly string[]>>;

/** What the shell says of its own writes, which `writes` shows, and Istio's notice of every tick. */
const shellLine = /^(Synced |\w+ \S+ (created|synced)$|Canary \S+ uses HTTP service$|Deleting \S+ from cache$)/;
/** How often it is said depends on how fast pods are. */
const repeated = / not ready: /;

const told = (level: string, message: string): string => (level === 'info' ? message : `${level}: ${message}`);
const distinct = (lines: readonly string[], which: RegExp = /^/): string[] =>
  lines.filter((line, at) => line !== lines[at - 1] || !which.test(line));

/** Hashes differ between implementations; which of them are the same does not. */
function alias(): (hash: unknown) => string {
  const names = new Map<unknown, string>();
  return (hash) => {
    if (hash === undefined || hash === '') return '-';
    const name = names.get(hash) ?? String.fromCharCode('A'.charCodeAt(0) + names.size);
    names.set(hash, name);
    return name;
  };
}

function statusLines(statuses: readonly Partial<CanaryStatus>[]): string[] {
  const hash = alias();
  return distinct(
    statuses
      .filter(({ phase }) => phase)
      .map((status) => {
        const { phase, canaryWeight, failedChecks, iterations, trackedConfigs = {} } = status;
        const [condition] = status.conditions ?? [];
        const counts = `weight ${canaryWeight} failed ${failedChecks} iterations ${iterations}`;
        const hashes = `applied ${hash(status.lastAppliedSpec)} promoted ${hash(status.lastPromotedSpec)}`;
        const configs = Object.entries(trackedConfigs).map(([key, checksum]) => ` ${key}=${checksum}`);
        const { type, status: state, reason, message } = condition ?? {};
        return `${phase} ${counts} ${hashes}${configs.join('')} ${type} ${state} ${reason}: ${message}`;
      }),
  );
}

type Json = Readonly<Record<string, unknown>>;
const listOf = (value: unknown): readonly Json[] => (Array.isArray(value) ? (value as Json[]) : []);

/** All weights of a routing object, as the recordings write them. */
export function weightsOf({ kind, metadata, spec }: KubeObject & { readonly spec?: unknown }): Json {
  const { weighted, backends, rules, routes, http, conf } = (spec ?? {}) as Readonly<Record<string, unknown>>;
  if (kind === 'Ingress')
    return Object.fromEntries(
      Object.entries(metadata.annotations ?? {}).filter(
        ([name]) => name.startsWith('nginx.ingress.kubernetes.io/') || name.startsWith('zalando.org/'),
      ),
    );
  if (kind === 'TrafficRoute')
    return Object.fromEntries(
      listOf((conf as Json | undefined)?.['split']).map(({ destination, weight }) => [
        String((destination as Json)['kuma.io/service']),
        weight,
      ]),
    );
  const plain = listOf((weighted as Json | undefined)?.['services'] ?? backends);
  if (plain.length > 0)
    return Object.fromEntries(plain.map(({ name, service, weight }) => [String(name ?? service), weight]));
  const nested = listOf(rules ?? routes ?? http).flatMap((rule, at) => {
    const { backendRefs, services, route, backends: own } = rule;
    const multi = ((rule['routeAction'] as Json | undefined)?.['multi'] as Json | undefined)?.['destinations'];
    const meshed = (((rule['httpRoute'] ?? rule['http']) as Json | undefined)?.['action'] as Json | undefined)?.[
      'weightedTargets'
    ];
    return listOf(backendRefs ?? services ?? route ?? own ?? multi ?? meshed).flatMap((to) => {
      const { name, serviceName, destination, virtualNodeRef, virtualNodeName, weight } = to;
      const { host, upstream } = (destination ?? {}) as Json;
      const named =
        name ?? serviceName ?? virtualNodeName ?? host ?? ((virtualNodeRef ?? upstream) as Json | undefined)?.['name'];
      return weight === undefined ? [] : [[`${at}:${String(named)}`, weight] as const];
    });
  });
  return Object.fromEntries(nested);
}

export function shareLine(weights: Json): string {
  const shares = Object.entries(weights).map(([name, weight]) => `${name}=${String(weight)}`);
  return shares.sort().join(' ');
}

interface Weighing {
  readonly t: number;
  readonly weights: Json;
}

/** Times count from the first step, to ten seconds: when a tick notices something is chance in the recordings. */
function weightLines(all: readonly Weighing[], isTimed: boolean): string[] {
  const weighings = all.filter(({ weights }) => Object.keys(weights).length > 0);
  const first = weighings.find(({ t }) => t >= 0)?.t ?? 0;
  return weighings.map(({ t, weights }) => {
    const at = t < 0 ? 'first' : isTimed ? `+${Math.round((t - first) / 10) * 10}s` : 'then';
    return `${at} ${shareLine(weights)}`;
  });
}

/** Where each Service leads. All that a Canary owned goes at once, in no order. */
function serviceLines(changes: readonly ServiceChange[]): string[] {
  const ledTo = new Map<string, string>();
  const gone: string[] = [];
  const allGone = (): string[] => gone.splice(0).sort();
  const lines = changes.flatMap(({ t, name, selector = {}, deleted }) => {
    const to = deleted ? 'gone' : `to ${labelsOf(selector)}`;
    const line = `${t < 0 ? 'first ' : ''}${name} ${to}`;
    if (ledTo.get(name) === to) return [];
    ledTo.set(name, to);
    if (!deleted) return [...allGone(), line];
    gone.push(line);
    return [];
  });
  return [...lines, ...allGone()];
}

const labelsOf = (labels: Readonly<Record<string, string>>): string =>
  Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join(' ');

/** Sizes and images of target and primary, in the order in which they change; what happened before the first action comes first. */
function deploymentLines(changes: readonly DeploymentSeen[]): string[] {
  const last = new Map<string, string>();
  return changes.flatMap(({ t, name, replicas, image }) => {
    const line = `${name} ${replicas} of ${image}`;
    if (last.get(name) === line) return [];
    last.set(name, line);
    return [t < 0 ? `first ${line}` : line];
  });
}

function payloadLines(payloads: readonly Json[]): string[] {
  const hash = alias();
  // How often a closed gate is asked depends on when it opens.
  return distinct(payloads.map(({ checksum, ...rest }) => `${JSON.stringify(rest)} ${hash(checksum)}`));
}

const colours: Readonly<Record<string, string>> = { good: 'info', warning: 'warn', danger: 'error' };
const attachmentsOf = ({ payload }: { readonly payload: Json }): readonly Json[] => listOf(payload['attachments']);

const kinds: Readonly<Record<string, string>> = { TraefikService: 'traefik', TrafficSplit: 'split' };
/** What the API server and its controllers add. */
const defaults =
  /annotations=\{\}$|^service\/\S+ spec\.(type|sessionAffinity|ipFamilies\.0|ipFamilyPolicy|internalTrafficPolicy)=|revision=|spec\.clusterIPs?\b|metadata\.(uid|generation|managedFields|creationTimestamp|resourceVersion)\b/;

function leaves(value: unknown, path: string): string[] {
  if (typeof value !== 'object' || value === null) return [`${path}=${String(value)}`];
  const members = Object.entries(value);
  return members.length === 0
    ? [`${path}=${Array.isArray(value) ? '[]' : '{}'}`]
    : members.flatMap(([name, member]) => leaves(member, `${path}${path.includes(' ') ? '.' : ' '}${name}`));
}

/** One line for each leaf of each object. */
export function objectLines(objects: readonly KubeObject[]): string[] {
  return objects
    .flatMap(({ status: _status, ...object }) =>
      leaves(object, `${kinds[object.kind] ?? object.kind.toLowerCase()}/${object.metadata.name}`),
    )
    .map((line) => line.replace(/(flagger-id)=.*/, '$1').replace(/(ownerReferences\.\d+\.)uid=.*/, '$1uid'))
    .filter((line) => !defaults.test(line) && !line.endsWith('.uid'))
    .sort();
}

const isAlerted = ({ canarySpec }: Recording): boolean => listOf((canarySpec['analysis'] as Json)['alerts']).length > 0;

/** What was done more than once, and therefore noticed at chance. */
const isTimed = ({ actions }: Recording): boolean => actions.every(({ t }) => t === 0);

export function facesOfRecording(gold: Recording, objects: RecordedObjects | undefined): Faces {
  return {
    lines: distinct(
      gold.log.filter(({ msg }) => !shellLine.test(msg)).map(({ level, msg }) => told(level, msg)),
      repeated,
    ),
    types: [...new Set(gold.events.map(typed))].sort(),
    statuses: statusLines(gold.status.filter((status) => !status['deleted']) as readonly Partial<CanaryStatus>[]),
    weights: weightLines(
      gold.weights.filter((entry) => !entry['deleted']).map(({ t, object: _object, ...weights }) => ({ t, weights })),
      isTimed(gold),
    ),
    writes: gold.writes.filter(({ code }) => code < 300).map(writeLine),
    services: serviceLines(gold.services),
    deployments: deploymentLines(gold.deployments),
    alerts: (gold.webhooks ?? [])
      .flatMap(attachmentsOf)
      .map(({ color, text }) => `${colours[String(color)]}: ${String(text)}`),
    payloads: payloadLines(
      (gold.webhooks ?? []).filter((hook) => attachmentsOf(hook).length === 0).map(({ payload }) => payload),
    ),
    sights: gold.actions.map(({ what }) => what).filter(isSight),
    before: objectLines(Object.values(objects?.before ?? {})),
    after: objectLines(Object.values(objects?.after ?? {})),
  };
}

function typed({ type, message }: { readonly type: string; readonly message: string }): string {
  return `${type}: ${message.replace('(combined from similar events): ', '')}`;
}

function writeLine(write: Recording['writes'][number] & { readonly patch?: { spec?: { replicas?: number } } }): string {
  const replicas = write.patch?.spec?.replicas;
  const to = replicas === undefined ? '' : ` to ${replicas}`;
  const first = write.t < 0 ? 'first ' : '';
  return `${first}${write.verb} ${write.resource} ${write.name}${write.sub ? ` ${write.sub}` : ''}${to}`;
}

export function facesOfReplay(ours: Replayed, gold: Recording, objects: RecordedObjects | undefined): Faces {
  const effects = ours.rollout.ticks.flatMap((tick) => tick.effects);
  const heard = new Set(gold.events.map(typed).map((line) => line.slice(line.indexOf(' ') + 1)));
  const events = effects.flatMap((effect) => (effect.kind === 'event' ? [effect.event] : []));
  return {
    lines: distinct(
      effects.flatMap((effect) =>
        effect.kind === 'event'
          ? [told(effect.event.level, effect.event.message)]
          : effect.kind === 'log'
            ? [effect.message]
            : [],
      ),
      repeated,
    ),
    types: [...new Set(events.filter(({ message }) => heard.has(message)).map(typed))].sort(),
    alerts: effects.flatMap((effect) =>
      effect.kind === 'alert' && isAlerted(gold) ? [`${effect.severity}: ${effect.message}`] : [],
    ),
    statuses: statusLines(ours.rollout.ticks.map(({ status }) => status)),
    weights: weightLines(
      ours.routes.map(({ t, object }) => ({ t, weights: weightsOf(object) })),
      isTimed(gold),
    ),
    writes: ours.writes,
    services: serviceLines(ours.services),
    deployments: deploymentLines(ours.deployments),
    payloads: payloadLines(ours.payloads),
    sights: ours.sights,
    before: objects ? objectLines(ours.before.filter(isIn(objects.before))) : [],
    after: objects ? objectLines(ours.after.filter(isIn(objects.after))) : [],
  };
}

/** The Ingress stands in all replays, and in the recordings of those that need it. */
function isIn(recorded: Readonly<Record<string, KubeObject>>): (object: KubeObject) => boolean {
  return ({ kind, metadata }) => kind !== 'Ingress' || `ingress/${metadata.name}` in recorded;
}
