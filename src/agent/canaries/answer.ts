import { randomUUID } from 'node:crypto';
import { measure, metricsOnline } from '../../analysis/measure.ts';
import { callWebhook, webhookPayload } from '../../analysis/webhook.ts';
import { gateAnswer } from '../../canary/gates.ts';
import { referenceProblem } from '../../canary/references.ts';
import { targets } from '../../canary/targets/registry.ts';
import type { Answer, CanarySpec, CanaryStatus, Question } from '../../canary/types.ts';
import { AgentError } from '../../lib/errors.ts';
import type { KubeObject } from '../../manifest/types.ts';
import type { MetricsOfCluster } from '../../metrics/provider.ts';
import type { Deps } from '../deps.ts';
import { readSecret } from '../views/secrets.ts';
import type { Outlets } from '../../outlets/outlet.ts';
import { keyOf } from '../../lib/key.ts';
import { createEndpointReader } from '../views/endpoint-reader.ts';
import { createPodReader } from '../views/pod-reader.ts';
import type { Views } from '../views/views.ts';

/** Whose question it is. */
interface Asker {
  readonly canary: KubeObject;
  readonly spec: CanarySpec;
  readonly status: CanaryStatus;
}

export type Ask = (question: Question, asker: Asker, signal: AbortSignal) => Promise<Answer>;

/** Metrics of the cluster for a Canary of this namespace: the agent's rights reach farther than it may look. */
function metricsOfCluster(
  cluster: Deps['cluster'],
  from: string,
  settings: Pick<Deps['settings'], 'noCrossNamespaceRefs' | 'tenancy'>,
): MetricsOfCluster {
  const check = (to: string | undefined): void => {
    const problem = referenceProblem(from, to ?? '', settings);
    if (problem !== undefined) throw new AgentError('CANARY_INVALID', problem);
  };
  return {
    namespace: from,
    async get(ref, signal) {
      check(ref.namespace);
      return cluster.get(ref, signal);
    },
    async externalMetric(metric, signal) {
      check(metric.namespace);
      return cluster.externalMetric(metric, signal);
    },
  };
}

/** Puts what `decide` asks to metrics providers and webhooks. */
export function createAnswerer(deps: Deps, views: Views, outlets: Pick<Outlets, 'tell'>): Ask {
  const { clock, cluster, http, clouds, settings } = deps;
  const readPods = createPodReader(deps, views);
  const readEndpoints = createEndpointReader(deps);

  const revisionOf = async ({ target, targetKind }: CanarySpec): Promise<{ readonly revision?: string }> => {
    const kind = targets[targetKind];
    const live = kind.candidateRef && (await views.object(target));
    const revision = kind.candidateRef?.(target, live)?.name;
    return revision === undefined ? {} : { revision };
  };

  return async (question, { canary, spec, status }, signal) => {
    if (question.kind === 'hook') {
      const { hook, phase } = question;
      const own = gateAnswer(hook.url, settings.gateHost, canary);
      if (own) return own;
      const headers = { 'idempotency-key': randomUUID() };
      return callWebhook(hook, webhookPayload(spec, phase, status, hook.metadata), { http, clock, headers }, signal);
    }
    if (question.kind === 'pods') {
      const trouble = await readPods(question, spec, signal);
      return { kind: 'pods', ...(trouble ? { trouble } : {}) };
    }
    if (question.kind === 'endpoints')
      return { kind: 'endpoints', ...(await readEndpoints(spec, question.pods, signal)) };
    const io = {
      http,
      clock,
      ...(clouds ? { clouds } : {}),
      cluster: metricsOfCluster(cluster, spec.namespace, settings),
      metricsServer: spec.metricsServer ?? settings.metricsServer,
      meshProvider: settings.provider,
      template: (namespace: string, name: string) => views.templates.get(namespace, name),
      secret: (namespace: string, name: string, stop: AbortSignal) => readSecret(cluster, namespace, name, stop),
      ...(await revisionOf(spec)),
    };
    if (question.kind === 'metrics-online') return metricsOnline(spec, io, signal);
    const { metric } = question;
    const sample = await measure(spec, metric, io, signal);
    if (sample.kind === 'value')
      outlets.tell({
        kind: 'measured',
        app: keyOf(spec),
        releaseId: undefined,
        spec,
        metric: metric.name,
        value: sample.value,
      });
    return sample;
  };
}
