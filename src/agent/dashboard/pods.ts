import { targets } from '../../canary/targets/registry.ts';
import { podTrouble } from '../../canary/trouble/pod-trouble.ts';
import type { CanarySpec } from '../../canary/types.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import { at, listOf, numberOf, textOf } from '../../lib/json.ts';
import { type AppKey, partsOf } from '../../lib/key.ts';
import { plainText } from '../../lib/plain-text.ts';
import { redact } from '../../lib/redact.ts';
import type { KubeObject } from '../../manifest/types.ts';
import { specOf } from '../../report/status.ts';
import type { AppFacts } from '../../report/types.ts';
import type { AgentDoor, PodFacts } from '../../ui/questions.ts';
import { UiError } from '../../ui/told.ts';
import { secretTexts, selectorText } from '../views/pod-reader.ts';
import type { Views } from '../views/views.ts';

export interface PodParts {
  readonly cluster: Cluster;
  readonly views: Pick<Views, 'object'>;
  readonly facts: (app: AppKey) => AppFacts | undefined;
  /** Whether log lines are told at all. */
  readonly mayTellLogs: boolean;
}

const mostPods = 50;
const logLimits = { tailLines: 20, limitBytes: 16_384 };
const mostContainers = 4;

interface Workload {
  readonly role: PodFacts['role'];
  readonly object: KubeObject;
}

/** Pods of an app, read when somebody looks at them; nothing of them is watched or kept. */
export function createPods(
  { cluster, views, facts, mayTellLogs }: PodParts,
  signal: AbortSignal,
): Pick<AgentDoor, 'pods' | 'podLog'> {
  const workloadsOf = async (app: AppKey): Promise<readonly Workload[]> => {
    const known = facts(app);
    if (!known) throw new UiError(404, 'There is no such app.');
    const spec = specOf(known);
    if (typeof spec === 'string') throw new UiError(409, spec);
    return workloadsBy(views, spec);
  };
  const podsOf = async ({ object }: Workload): Promise<readonly KubeObject[]> => {
    const labelSelector = selectorText(at(object, 'spec', 'selector'));
    const { namespace = '' } = object.metadata;
    if (labelSelector === '') return [];
    return cluster.list({ apiVersion: 'v1', kind: 'Pod' }, { namespace, labelSelector, limit: mostPods }, signal);
  };
  return {
    async pods(app) {
      const found: PodFacts[] = [];
      for (const workload of await workloadsOf(app))
        for (const pod of await podsOf(workload)) found.push(factsOf(pod, workload));
      return found.slice(0, 2 * mostPods);
    },
    async podLog(app, name) {
      if (!mayTellLogs) return ['(log lines are not told here: --pod-logs is false)'];
      const { namespace } = partsOf(app);
      for (const workload of await workloadsOf(app)) {
        // Only of its own pods, whatever the name is.
        const pod = (await podsOf(workload)).find(({ metadata }) => metadata.name === name);
        if (!pod) continue;
        const secrets = await secretTexts(cluster, workload.object, signal);
        if (!secrets) return ['(not shown: its Secrets are too many to take their values out)'];
        const containers = listOf(at(pod, 'spec', 'containers')).flatMap(({ name: one }) => textOf(one) ?? []);
        const lines: string[] = [];
        for (const container of containers.slice(0, mostContainers)) {
          const text = await cluster.podLog({ namespace, name }, { container, previous: false, ...logLimits }, signal);
          const said = redact(wholeLines(text ?? ''), secrets)
            .split('\n')
            .filter((line) => line.trim() !== '')
            .slice(-logLimits.tailLines)
            .map((line) => plainText(line).slice(0, 1_000));
          lines.push(...(containers.length > 1 ? said.map((line) => `${container}: ${line}`) : said));
        }
        return lines;
      }
      throw new UiError(404, 'There is no such pod any more.');
    },
  };
}

async function workloadsBy(views: PodParts['views'], spec: CanarySpec): Promise<readonly Workload[]> {
  const kind = targets[spec.targetKind];
  const target = await views.object(spec.target);
  const primaryRef = kind.primaryRef(spec.target, target);
  const candidateRef = kind.candidateRef?.(spec.target, target);
  const primary = primaryRef && (await views.object(primaryRef));
  const candidate = candidateRef ? await views.object(candidateRef) : target;
  return [
    ...(primary ? [{ role: 'primary' as const, object: primary }] : []),
    ...(candidate ? [{ role: 'canary' as const, object: candidate }] : []),
  ];
}

function factsOf(pod: KubeObject, { role, object }: Workload): PodFacts {
  const statuses = listOf(at(pod, 'status', 'containerStatuses'));
  const isReady = listOf(at(pod, 'status', 'conditions')).some(
    ({ type, status }) => type === 'Ready' && status === 'True',
  );
  const isLeaving = pod.metadata.deletionTimestamp !== undefined;
  const trouble = isReady || isLeaving ? undefined : podTrouble({ workload: object, pods: [pod], events: [] });
  const madeAtMs = Date.parse(pod.metadata.creationTimestamp ?? '');
  return {
    name: plainText(pod.metadata.name),
    role,
    images: listOf(at(pod, 'spec', 'containers'))
      .flatMap(({ image }) => textOf(image) ?? [])
      .slice(0, 10)
      .map((image) => plainText(image).slice(0, 300)),
    isReady: isReady && !isLeaving,
    restarts: statuses.reduce((sum, { restartCount }) => sum + (numberOf(restartCount) ?? 0), 0),
    reason: isLeaving ? 'it is ending' : trouble && plainText(redact(trouble.summary)),
    madeAtMs: Number.isFinite(madeAtMs) ? madeAtMs : 0,
  };
}

/** A log that was cut ends amid a line, and perhaps amid a secret. */
function wholeLines(text: string): string {
  if (Buffer.byteLength(text) < logLimits.limitBytes) return text;
  return text.slice(0, Math.max(0, text.lastIndexOf('\n')));
}
