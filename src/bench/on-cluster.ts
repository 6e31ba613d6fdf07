import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { type ClusterClient, openCluster } from '../cluster/client.ts';
import { systemClock } from '../lib/clock.ts';
import { AgentError, messageOf } from '../lib/errors.ts';
import { createHttp } from '../lib/http/client.ts';
import { silentLogger } from '../lib/log.ts';
import type { KubeObject } from '../manifest/types.ts';
import { startGitServer } from '../sandbox/git-server.ts';
import { version } from '../lib/version.ts';
import { authorityOf, grantAccess, revokeAccess, throughRelay } from './agent-access.ts';
import { farMs, holdServer, type Server } from './api-server.ts';
import { fleetRound, type Round, type Way, writeKubeconfig } from './fleet-round.ts';
import { startMetricsStandIn } from './metrics-stand-in.ts';
import { startRelay } from './relay.ts';
import { removeNamespace } from './remove-namespace.ts';

export interface ClusterBenchOptions {
  /** Fleet sizes, measured in this order. */
  readonly canaries: readonly number[];
  readonly ways: readonly Way[];
  /** How the API server is, one after the other. */
  readonly servers: readonly Server[];
  /** That it may use; absent: those of its process, or of this machine. */
  readonly serverCores?: number;
  readonly restSeconds: number;
  readonly kubeconfigPath: string;
  readonly say: (text: string) => void;
  readonly onRound: (round: Round) => void;
}

const agentNamespace = 'serin-bench';
const projectRoot = new URL('../../', import.meta.url);

/** Rounds on the cluster of a kubeconfig, which needs the rights of an administrator. Rejects where one could not be measured. */
export async function benchOnCluster(options: ClusterBenchOptions, signal: AbortSignal): Promise<void> {
  const { kubeconfigPath, say } = options;
  const folder = await mkdtemp(join(tmpdir(), 'serin-bench-'));
  const closing: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true, maxRetries: 3 })];
  try {
    const cluster = await openCluster(
      { kind: 'file', path: kubeconfigPath },
      { clock: systemClock, log: silentLogger },
    );
    closing.push(() => cluster.close());
    let isBare = false;
    say(`Kubernetes ${await cluster.version(signal)}`);
    await installDefinitions(cluster, signal);
    const namespace: KubeObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: agentNamespace } };
    await cluster.apply(namespace, { manager: agentNamespace }, signal);
    closing.push(() =>
      cleanUp(cluster, isBare).catch((error: unknown) => say(`not all could be removed: ${messageOf(error)}`)),
    );
    const access = await grantAccess(cluster, agentNamespace, kubeconfigPath, signal);
    const git = await startGitServer({ root: join(folder, 'git') });
    closing.push(() => git.stop());
    const prometheus = await startMetricsStandIn();
    closing.push(() => prometheus.close());
    const http = createHttp({ userAgent: `serin-bench/${version}`, maxBytes: 20_000_000 });
    closing.push(() => http.close());
    const stage = {
      cluster,
      git,
      http,
      metricsServer: prometheus.url,
      agentNamespace,
      folder,
      restSeconds: options.restSeconds,
    };
    for (const server of options.servers) {
      const held = await holdServer(server, options.serverCores);
      const ca = await authorityOf(access);
      const relay =
        server === 'far'
          ? await startRelay(cluster.server, { delayMs: farMs, ...(ca === undefined ? {} : { ca }) })
          : undefined;
      try {
        const kubeconfigPath = await writeKubeconfig(folder, relay ? throughRelay(access, relay.url) : access);
        for (const way of options.ways) {
          for (const canaries of options.canaries) {
            const title = `${canaries} canaries, ${way === 'git' ? 'one commit' : 'targets patched'}, server ${server}`;
            const here = {
              ...stage,
              kubeconfigPath,
              server,
              serverCores: held.cores,
              say: (text: string) => say(`${title}: ${text}`),
            };
            const round = await fleetRound(here, canaries, way, signal);
            isBare = round.readyBy === 'deployments';
            options.onRound(round);
          }
        }
      } finally {
        await relay?.close();
        await held.release();
      }
    }
  } finally {
    for (const close of closing.reverse()) await close();
  }
}

/** Ours are brought up to date, Traefik's only where there are none. */
async function installDefinitions(cluster: ClusterClient, signal: AbortSignal): Promise<void> {
  const folder = new URL('manifests/crds/', projectRoot);
  const texts = await Promise.all((await readdir(folder)).map((name) => readFile(new URL(name, folder), 'utf8')));
  const hasTraefik = await cluster.resource({ apiVersion: 'traefik.io/v1alpha1', kind: 'TraefikService' }, signal);
  if (!hasTraefik) texts.push(await readFile(new URL('fixtures/crds/traefik.yaml', projectRoot), 'utf8'));
  const objects = texts.flatMap((text) => parseAllDocuments(text).map((document) => document.toJS() as KubeObject));
  for (const object of objects) {
    if (object?.kind === 'CustomResourceDefinition')
      await cluster.apply(object, { manager: agentNamespace, force: true }, signal);
  }
  const kinds = [
    { apiVersion: 'flagger.app/v1beta1', kind: 'Canary' },
    { apiVersion: 'traefik.io/v1alpha1', kind: 'TraefikService' },
  ];
  for (const kind of kinds) await served(cluster, kind, signal);
}

async function served(
  cluster: ClusterClient,
  kind: { readonly apiVersion: string; readonly kind: string },
  signal: AbortSignal,
): Promise<void> {
  for (let tries = 0; tries < 50; tries += 1) {
    if (await cluster.resource(kind, signal)) {
      await cluster.list(kind, {}, signal);
      return;
    }
    await systemClock.sleep(300, signal);
  }
  throw new AgentError('CLUSTER_REFUSED', `the cluster does not serve ${kind.kind} although it was installed`);
}

async function cleanUp(cluster: ClusterClient, isBare: boolean): Promise<void> {
  const signal = AbortSignal.timeout(60_000);
  await revokeAccess(cluster, signal);
  await removeNamespace(cluster, agentNamespace, isBare, signal);
}
