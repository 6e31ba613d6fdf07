import { configRefsOf } from '../../canary/configs.ts';
import { at, jsonOf, listOf, textOf, textsOf } from '../../lib/json.ts';
import { targets } from '../../canary/targets/registry.ts';
import { newestReplicaSet, podTrouble, worstPod } from '../../canary/trouble/pod-trouble.ts';
import { type PodTrouble, type ToldTrouble, toldTrouble } from '../../canary/trouble/trouble.ts';
import type { CanarySpec, Question } from '../../canary/types.ts';
import { AgentError, messageOf } from '../../lib/errors.ts';
import { keyOf } from '../../lib/key.ts';
import { createLimit } from '../../lib/limit.ts';
import { redact } from '../../lib/redact.ts';
import type { KubeObject } from '../../manifest/types.ts';
import type { Deps } from '../deps.ts';
import { readSecret } from './secrets.ts';
import type { Views } from './views.ts';

type Asked = Extract<Question, { readonly kind: 'pods' }>;

/** Why the pods of a canary or primary are not ready. Undefined: nothing can be seen, or not in time. Rejects only when aborted. */
export type PodReader = (asked: Asked, spec: CanarySpec, signal: AbortSignal) => Promise<ToldTrouble | undefined>;

/** A rollback waits for it, so it is short. Of the wall's time, as all requests. */
const patienceMs = 3_000;
/** What is told again and again is read again after this. */
const freshMs = 60_000;
/** The log is read again after this where the cause has stayed the same: lines that differ each time would each be an event. */
const logMs = 600_000;
const atOnce = 8;
/** Where more wait for their turn, what a look asks is asked at the next one: that many pods are late because the cluster is. */
const askingLimit = 3 * atOnce;
const podLimit = 100;
const logLimits = { tailLines: 10, limitBytes: 8_192 };
const secretLimit = 20;
const secretCharacters = 200_000;
const rememberLimit = 1_000;

interface Known {
  readonly trouble: ToldTrouble;
  readonly version: string;
  readonly readAtMs: number;
  readonly logAtMs: number;
}

/** Reads pods when a canary is about to be told not ready, and at no other time: nothing of them is watched. */
export function createPodReader({ cluster, clock, log, settings }: Deps, views: Views): PodReader {
  const known = new Map<string, Known>();
  const refused = new Set<string>();
  // A fleet that cannot start must not keep the API server from everything else.
  const inTurn = createLimit(atOnce);
  let asking = 0;

  const around = async (workload: KubeObject, signal: AbortSignal): Promise<PodTrouble | undefined> => {
    if (workload.kind === 'Revision') return podTrouble({ workload, pods: [], events: [] });
    const { namespace = '', uid = '' } = workload.metadata;
    const selector = selectorText(at(workload, 'spec', 'selector'));
    if (selector === '') return undefined;
    const isDeployment = workload.kind === 'Deployment';
    const sets = isDeployment
      ? await cluster.list(
          { apiVersion: 'apps/v1', kind: 'ReplicaSet' },
          { namespace, labelSelector: selector, limit: podLimit },
          signal,
        )
      : [];
    const replicaSet = newestReplicaSet(workload, sets);
    const owner = isDeployment ? replicaSet : workload;
    const hash = replicaSet?.metadata.labels?.['pod-template-hash'];
    const labelSelector = hash === undefined ? selector : `${selector},pod-template-hash=${hash}`;
    const all = owner
      ? await cluster.list({ apiVersion: 'v1', kind: 'Pod' }, { namespace, labelSelector, limit: podLimit }, signal)
      : [];
    const pods = all.filter(({ metadata }) =>
      (metadata.ownerReferences ?? []).some((one) => one.uid === owner?.metadata.uid),
    );
    const about = worstPod(pods)?.metadata.uid ?? (pods.length === 0 && !isDeployment ? uid : undefined);
    const events =
      about === undefined
        ? []
        : await cluster.list(
            { apiVersion: 'v1', kind: 'Event' },
            { namespace, fieldSelector: `involvedObject.uid=${about}`, limit: podLimit },
            signal,
          );
    return podTrouble({ workload, pods, events, ...(replicaSet ? { replicaSet } : {}) });
  };

  /** What the app wrote before it ended. Nothing where it cannot be told apart from its Secrets. */
  const said = async (workload: KubeObject, trouble: PodTrouble, signal: AbortSignal): Promise<readonly string[]> => {
    const { namespace = '' } = workload.metadata;
    if (settings.podLogs === false || (trouble.log === undefined && trouble.output === undefined)) return [];
    const secrets = await secretTexts(cluster, workload, signal);
    if (secrets === undefined) return ['(not shown: its Secrets are too many to take their values out)'];
    const { log: source, output = '' } = trouble;
    const read = async (previous: boolean): Promise<string | undefined> =>
      source &&
      cluster.podLog({ namespace, name: source.pod }, { container: source.container, previous, ...logLimits }, signal);
    // The run before may be gone with its log.
    const text = (await read(source?.previous ?? false)) ?? (source?.previous ? await read(false) : undefined) ?? '';
    return redact(`${wholeLines(text)}\n${output.slice(0, logLimits.limitBytes)}`, secrets)
      .split('\n')
      .filter((line) => line.trim() !== '')
      .slice(-logLimits.tailLines);
  };

  const read = async (
    { role, isLast }: Asked,
    spec: CanarySpec,
    signal: AbortSignal,
  ): Promise<ToldTrouble | undefined> => {
    const kind = targets[spec.targetKind];
    const target = await views.object(spec.target);
    const ref =
      role === 'primary'
        ? kind.primaryRef(spec.target, target)
        : (kind.candidateRef?.(spec.target, target) ?? spec.target);
    const workload = ref && (role === 'canary' && ref === spec.target ? target : await views.object(ref));
    if (!workload) return undefined;
    const key = `${keyOf(spec)}/${role}`;
    const before = known.get(key);
    const version = `${workload.metadata.uid}/${workload.metadata.resourceVersion}`;
    const nowMs = clock.now();
    const isRecent = (atMs: number, ms: number): boolean => nowMs >= atMs && nowMs - atMs < ms;
    if (!isLast && before?.version === version && isRecent(before.readAtMs, freshMs)) return before.trouble;
    const found = await around(workload, signal);
    known.delete(key);
    if (!found) return undefined;
    const isSame = before?.trouble.summary === found.summary && isRecent(before.logAtMs, logMs) && !isLast;
    const trouble = isSame ? before.trouble : toldTrouble(redacted(found), await said(workload, found, signal));
    if (known.size >= rememberLimit) known.delete(known.keys().next().value ?? '');
    known.set(key, { trouble, version, readAtMs: nowMs, logAtMs: isSame ? before.logAtMs : nowMs });
    return trouble;
  };

  return async (asked, spec, signal) => {
    if (asking >= askingLimit && !asked.isLast) return undefined;
    asking += 1;
    try {
      const stop = AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]);
      // Also while it waits for its turn.
      const late = new Promise<never>((_resolve, reject) => {
        stop.addEventListener('abort', () => reject(stop.reason as Error), { once: true });
      });
      return await Promise.race([late, inTurn(() => (stop.aborted ? late : read(asked, spec, stop)))]);
    } catch (error) {
      if (signal.aborted) throw error;
      const reason = messageOf(error);
      const isRefused = error instanceof AgentError && error.code === 'CLUSTER_REFUSED';
      // What is not granted is not granted at the next look either.
      const level = isRefused && !refused.has(spec.namespace) ? 'warn' : 'debug';
      if (isRefused) refused.add(spec.namespace);
      log[level](
        { canary: `${spec.name}.${spec.namespace}`, reason },
        'why pods are not ready cannot be read; only that they are not is told',
      );
      return undefined;
    } finally {
      asking -= 1;
    }
  };
}

function redacted(trouble: PodTrouble): PodTrouble {
  const { summary, detail, about } = trouble;
  return {
    ...trouble,
    summary: redact(summary),
    detail: redact(detail),
    ...(about === undefined ? {} : { about: redact(about) }),
  };
}

/** A log that was cut ends amid a line, and perhaps amid a secret. */
function wholeLines(text: string): string {
  if (Buffer.byteLength(text) < logLimits.limitBytes) return text;
  return text.slice(0, Math.max(0, text.lastIndexOf('\n')));
}

/** What is taken out of what a workload's pods wrote. Undefined: it is too much to be taken out. */
export async function secretTexts(
  cluster: Deps['cluster'],
  workload: KubeObject,
  signal: AbortSignal,
): Promise<readonly string[] | undefined> {
  const { namespace = '' } = workload.metadata;
  const refs = configRefsOf(workload).filter(({ kind }) => kind === 'Secret');
  if (refs.length > secretLimit) return undefined;
  const values = await Promise.all(refs.map(({ name }) => readSecret(cluster, namespace, name, signal)));
  const texts = [...values.flatMap((value) => Object.values(value ?? {})), ...plainSecrets(workload)];
  return texts.reduce((sum, { length }) => sum + length, 0) > secretCharacters ? undefined : texts;
}

/** Values of variables whose names say that they are secret, though they stand in the template. */
function plainSecrets(workload: KubeObject): readonly string[] {
  const spec = jsonOf(at(workload, 'spec', 'template', 'spec'));
  return [...listOf(spec['containers']), ...listOf(spec['initContainers'])]
    .flatMap((container) => listOf(container['env']))
    .flatMap(({ name, value }) =>
      /pass|pwd|secret|token|credential|(?:api|access|private|signing)_?key|dsn/i.test(textOf(name) ?? '')
        ? (textOf(value) ?? [])
        : [],
    );
}

/** As in a query; empty where the selector says nothing. */
export function selectorText(selector: unknown): string {
  const labels = Object.entries(textsOf(at(selector, 'matchLabels'))).map(([key, value]) => `${key}=${value}`);
  const expressions = listOf(at(selector, 'matchExpressions')).map(({ key, operator, values }) => {
    const list = (Array.isArray(values) ? values : []).join(',');
    if (operator === 'Exists') return String(key);
    if (operator === 'DoesNotExist') return `!${String(key)}`;
    return `${String(key)} ${operator === 'In' ? 'in' : 'notin'} (${list})`;
  });
  return [...labels, ...expressions].join(',');
}
