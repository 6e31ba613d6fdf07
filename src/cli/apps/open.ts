import { canaryRef } from '../../canary/owner.ts';
import type { ClusterClient } from '../../cluster/client.ts';
import { openCluster } from '../../cluster/client.ts';
import { AgentError } from '../../lib/errors.ts';
import { jsonOf, numberOf, textOf } from '../../lib/json.ts';
import { type AppKey, keyOf, partsOf, readKey } from '../../lib/key.ts';
import { silentLogger } from '../../lib/log.ts';
import { systemClock } from '../../lib/clock.ts';
import { nearest } from '../../lib/nearest.ts';
import type { KubeObject } from '../../manifest/types.ts';
import { readRecordObject, recordRef } from '../../release/record-object.ts';
import type { ReleaseRecord } from '../../release/types.ts';
import type { AppFacts, ToldEvent } from '../../report/types.ts';
import { clusterSource } from '../cluster-source.ts';
import type { CommandContext } from '../context.ts';

export interface ClusterOptions {
  readonly namespace?: string;
  readonly meshProvider?: string;
  readonly agentNamespace?: string;
  readonly kubeconfig?: string;
  readonly context?: string;
}

/** A cluster as the caller may read it. */
export interface Apps {
  readonly cluster: ClusterClient;
  /** Canaries, by namespace and name. Throws CONFIG_INVALID where they may not be read. */
  list(): Promise<readonly KubeObject[]>;
  /** The Canary that a person means. Throws CONFIG_INVALID where there is none, or several. */
  named(word: string): Promise<KubeObject>;
  /** What may be known of it. `isShort`: no events and no record, which take a request each. */
  facts(canary: KubeObject, isShort?: boolean): Promise<AppFacts>;
}

export async function atApps<Result>(
  context: CommandContext,
  options: ClusterOptions,
  work: (apps: Apps) => Promise<Result>,
): Promise<Result> {
  const { kubeconfig = '', context: named = '' } = options;
  const source = clusterSource({ kubeconfig, context: named }, context.environment);
  const cluster = await openCluster(source, { clock: systemClock, log: silentLogger });
  try {
    return await work(appsOf(cluster, options, context.signal));
  } finally {
    await cluster.close();
  }
}

const canaries = { apiVersion: 'flagger.app/v1beta1', kind: 'Canary' } as const;

function appsOf(cluster: ClusterClient, options: ClusterOptions, signal: AbortSignal): Apps {
  const { namespace, agentNamespace = 'serin', meshProvider = 'kubernetes' } = options;
  const list = async (): Promise<readonly KubeObject[]> => {
    const found = await readable(
      () => cluster.list(canaries, namespace === undefined ? {} : { namespace }, signal),
      namespace === undefined
        ? 'you may not list Canaries of all namespaces: name one with -n'
        : `you may not list Canaries of ${namespace}`,
    );
    return found.toSorted((a, b) => (keyOf(a.metadata) < keyOf(b.metadata) ? -1 : 1));
  };
  let mayReadRecords = true;
  const recordOf = async (key: AppKey): Promise<ReleaseRecord | undefined> => {
    if (!mayReadRecords) return undefined;
    try {
      const object = await cluster.get(recordRef(key, agentNamespace), signal);
      return object && readRecordObject(object)?.record;
    } catch (error) {
      if (!isRefused(error)) throw error;
      // Secrets of the agent's namespace are few people's.
      mayReadRecords = false;
      return undefined;
    }
  };
  const eventsOf = async ({ metadata: { namespace: where = '', name } }: KubeObject): Promise<readonly ToldEvent[]> => {
    try {
      const fieldSelector = `involvedObject.kind=Canary,involvedObject.name=${name}`;
      const found = await cluster.list(
        { apiVersion: 'v1', kind: 'Event' },
        { namespace: where, fieldSelector },
        signal,
      );
      return found.flatMap(toldEvent);
    } catch (error) {
      if (isRefused(error)) return [];
      throw error;
    }
  };
  return {
    cluster,
    list,
    async named(word) {
      const whole = readKey(word) ?? (namespace === undefined ? undefined : keyOf({ namespace, name: word }));
      if (whole) {
        const refused = `you may not read the Canary ${whole}`;
        const canary = await readable(() => cluster.get(canaryRef(partsOf(whole)), signal), refused);
        if (canary) return canary;
      }
      const all = await list();
      const found = whole ? [] : all.filter(({ metadata }) => metadata.name === word);
      const [only, ...more] = found;
      if (only && more.length === 0) return only;
      const names = all.map(({ metadata }) => keyOf(metadata));
      if (only)
        throw usage(
          `${word} may be each of these, name one: ${found.map(({ metadata }) => keyOf(metadata)).join(', ')}`,
        );
      const meant = nearest(whole ?? word, whole ? names : names.map((name) => partsOf(name).name));
      throw new AgentError(
        'CONFIG_INVALID',
        `there is no Canary ${whole ?? word}${meant === undefined ? '' : `; did you mean ${meant}?`}`,
        { details: { missing: 'canary' } },
      );
    },
    async facts(canary, isShort = false) {
      const key = keyOf(canary.metadata);
      const [record, events] = isShort ? [undefined, []] : await Promise.all([recordOf(key), eventsOf(canary)]);
      return { canary, events, provider: meshProvider, ...(record ? { record } : {}) };
    },
  };
}

async function readable<T>(read: () => Promise<T>, refused: string): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (isRefused(error)) throw usage(refused);
    throw error;
  }
}

export const isRefused = (error: unknown): boolean => error instanceof AgentError && error.details['status'] === 403;

function toldEvent(event: KubeObject): ToldEvent[] {
  const { type, message, lastTimestamp, eventTime, metadata } = event as KubeObject & Readonly<Record<string, unknown>>;
  const said = textOf(message);
  const given = textOf(lastTimestamp) ?? textOf(eventTime) ?? textOf(jsonOf(metadata)['creationTimestamp']) ?? '';
  const atMs = Date.parse(given);
  if (said === undefined || numberOf(atMs) === undefined) return [];
  return [{ atMs, type: type === 'Warning' ? 'Warning' : 'Normal', message: said.slice(0, 2_000) }];
}

const usage = (message: string): AgentError => new AgentError('CONFIG_INVALID', message);
