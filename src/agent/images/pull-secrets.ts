import type { Cluster } from '../../cluster/cluster.ts';
import { AgentError } from '../../lib/errors.ts';
import { sha256Hex } from '../../lib/hash.ts';
import { namespacedName } from '../../lib/key.ts';
import type { Logger } from '../../lib/log.ts';
import { isFields, listOf, fieldsOf } from '../../manifest/checks/finding.ts';
import type { KubeObject } from '../../manifest/types.ts';
import { type DockerConfig, readDockerConfig } from '../../registry/docker-config.ts';

/** Where the credentials of a workload's images stand, as the kubelet looks for them. */
export interface PullAccess {
  /** Names all of this: what is seen by one scope is not shown to another. */
  readonly scope: string;
  readonly namespace: string;
  /** Secrets of the namespace. */
  readonly secrets: readonly string[];
  /** Whose imagePullSecrets count too. */
  readonly serviceAccount: string;
}

/** Credentials for registries, read when they are needed. They go to the registries that they are for, and nowhere else. */
export interface PullSecrets {
  /** The same object while the credentials are the same. Undefined: there are none. Rejects where a Secret that is named cannot be read. */
  read(access: PullAccess, signal: AbortSignal): Promise<DockerConfig | undefined>;
}

const maxSecrets = 20;
const dataKeys = ['.dockerconfigjson', '.dockercfg'] as const;

/** The credentials that a pod's spec names. */
export function accessOf(namespace: string, podSpec: Readonly<Record<string, unknown>>): PullAccess {
  const secrets = namesIn(podSpec);
  const named = podSpec['serviceAccountName'] ?? podSpec['serviceAccount'];
  const serviceAccount = typeof named === 'string' && named !== '' ? named : 'default';
  return { scope: `${namespace} ${serviceAccount} ${secrets.join(',')}`, namespace, secrets, serviceAccount };
}

const namesIn = (object: Readonly<Record<string, unknown>>): readonly string[] =>
  listOf(object, 'imagePullSecrets')
    .slice(0, maxSecrets)
    .flatMap((entry) => (isFields(entry) && typeof entry['name'] === 'string' ? [entry['name']] : []));

export function createPullSecrets({
  cluster,
  log,
}: {
  readonly cluster: Pick<Cluster, 'get'>;
  readonly log: Logger;
}): PullSecrets {
  const known = new Map<string, { readonly print: string; readonly config: DockerConfig | undefined }>();
  const told = new Set<string>();
  const tellOnce = (message: string): void => {
    if (told.has(message)) return;
    told.add(message);
    log.warn({}, message);
  };

  const serviceAccountSecrets = async ({ namespace, serviceAccount }: PullAccess, signal: AbortSignal) => {
    try {
      const ref = { apiVersion: 'v1', kind: 'ServiceAccount', namespace, name: serviceAccount };
      const account = await cluster.get(ref, signal);
      return account ? namesIn(account) : [];
    } catch (error) {
      if (!isForbidden(error)) throw error;
      tellOnce(
        `service accounts of ${namespace} may not be read, so only imagePullSecrets that stand in workloads count`,
      );
      return [];
    }
  };
  const textOf = async (namespace: string, name: string, signal: AbortSignal): Promise<string | undefined> => {
    let secret: KubeObject | undefined;
    try {
      secret = await cluster.get({ apiVersion: 'v1', kind: 'Secret', namespace, name }, signal);
    } catch (error) {
      if (isForbidden(error))
        throw new Error(`the imagePullSecret ${namespacedName({ namespace, name })} may not be read`);
      throw error;
    }
    // As the kubelet: one that is missing is passed over.
    if (!secret) return undefined;
    const data = fieldsOf(secret, 'data');
    const encoded = dataKeys.map((key) => data[key]).find((value) => typeof value === 'string');
    return typeof encoded === 'string' ? Buffer.from(encoded, 'base64').toString('utf8') : undefined;
  };
  const configOf = (text: string, where: string): DockerConfig | undefined => {
    const config = readDockerConfig(text);
    if (!('problem' in config)) return config;
    tellOnce(`the credentials for registries in ${where} cannot be read: ${config.problem}`);
    return undefined;
  };

  return {
    async read(access, signal) {
      const names = [...new Set([...access.secrets, ...(await serviceAccountSecrets(access, signal))])].slice(
        0,
        maxSecrets,
      );
      const texts: (readonly [where: string, text: string])[] = [];
      for (const name of names) {
        const text = await textOf(access.namespace, name, signal);
        if (text !== undefined)
          texts.push([`the Secret ${namespacedName({ namespace: access.namespace, name })}`, text]);
      }
      const print = sha256Hex(JSON.stringify(texts));
      const before = known.get(access.scope);
      if (before?.print === print) return before.config;
      const configs = texts.flatMap(([where, text]) => configOf(text, where) ?? []);
      const config = configs.length === 0 ? undefined : together(configs);
      known.set(access.scope, { print, config });
      return config;
    },
  };
}

const together = (configs: readonly DockerConfig[]): DockerConfig => ({
  lookUp(registry, repository) {
    for (const config of configs) {
      const found = config.lookUp(registry, repository);
      if (found) return found;
    }
    return undefined;
  },
  // Whoever may write a Secret of a namespace must not start programs beside the agent; no more does the kubelet.
  helperFor: () => undefined,
});

const isForbidden = (error: unknown): boolean => error instanceof AgentError && error.details['status'] === 403;
