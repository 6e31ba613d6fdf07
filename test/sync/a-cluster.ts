import { type ClusterClient, openCluster } from '../../src/cluster/client.ts';
import { type Clock, systemClock } from '../../src/lib/clock.ts';
import type { Fence } from '../../src/lib/fence.ts';
import { sha256Hex } from '../../src/lib/hash.ts';
import { createLogger, type Logger, silentLogger } from '../../src/lib/log.ts';
import { type LoadSettings, loadTree } from '../../src/manifest/load.ts';
import { refKey, refOf } from '../../src/manifest/types.ts';
import { startSandbox } from '../../src/sandbox/sandbox.ts';
import type { Sandbox } from '../../src/sandbox/types.ts';
import { type MayWrite, startGuard } from '../helpers/guard.ts';
import { createSyncer, type Desired, type Syncer, type SyncSettings } from '../../src/sync/syncer.ts';

export interface SyncStage {
  readonly sandbox: Sandbox;
  readonly cluster: ClusterClient;
  /** Messages of log lines, `level: msg`. */
  readonly lines: string[];
  syncer(settings?: Partial<SyncSettings>, fence?: Fence, clock?: Clock): Syncer;
  close(): Promise<void>;
}

export const never = new AbortController().signal;

/** The embedded cluster over HTTP, with the real client. */
export async function startStage(mayWrite?: MayWrite): Promise<SyncStage> {
  const sandbox = await startSandbox({ podStartMs: 20 });
  const guard = mayWrite && (await startGuard(sandbox.apiUrl, mayWrite));
  const lines: string[] = [];
  const log: Logger = createLogger('info', (line) => {
    const { level, msg } = JSON.parse(line) as { level: string; msg: string };
    lines.push(`${level}: ${msg}`);
  });
  const cluster = await openCluster(
    { kind: 'text', text: guard ? sandbox.kubeconfig.replaceAll(sandbox.apiUrl, guard.url) : sandbox.kubeconfig },
    { clock: systemClock, log: silentLogger },
  );
  const syncers: Syncer[] = [];
  return {
    sandbox,
    cluster,
    lines,
    syncer(settings = {}, fence?: Fence, clock = systemClock) {
      const syncer = createSyncer({
        cluster,
        clock,
        log,
        fence,
        settings: { namespace: 'serin', prune: true, pruneAnything: false, ...settings },
      });
      syncers.push(syncer);
      return syncer;
    },
    async close() {
      for (const syncer of syncers) syncer.stop();
      await cluster.close();
      await guard?.close();
      await sandbox.stop();
    },
  };
}

/** What a commit with these files asks for. */
export function desired(
  files: Readonly<Record<string, string | Uint8Array>>,
  extra: Partial<Desired> = {},
  bounds: Pick<LoadSettings, 'tenancy' | 'own' | 'placeOf'> = {},
): Desired {
  const settings = { path: '', ledgerDir: '.releases', defaultNamespace: 'default', ...bounds };
  const tree = new Map(Object.keys(files).map((path) => [path, { oid: path }]));
  const loaded = loadTree(tree, new Map(Object.entries(files)), undefined, settings);
  const targets = loaded.manifests.flatMap(({ object }) => {
    const name =
      object.kind === 'Canary' ? (object['spec'] as { targetRef: { name: string } }).targetRef.name : undefined;
    const target = loaded.manifests.find(
      (other) => other.object.kind === 'Deployment' && other.object.metadata.name === name,
    );
    return target ? [refKey(refOf(target.object))] : [];
  });
  return {
    revision: sha256Hex(JSON.stringify(files)).slice(0, 40),
    manifests: loaded.manifests,
    problems: loaded.problems,
    unreadablePaths: loaded.unreadablePaths,
    strays: loaded.strays,
    areas: loaded.areas,
    canaryTargets: new Set(targets),
    takenOver: new Set(),
    drifted: [],
    everything: false,
    ...extra,
  };
}

/** Waits for something that the cluster or a watch has to do first. */
export async function eventually<T>(read: () => T | Promise<T>, isRight: (value: T) => boolean): Promise<T> {
  const deadlineMs = Date.now() + 8_000;
  for (;;) {
    const value = await read();
    if (isRight(value)) return value;
    if (Date.now() > deadlineMs) throw new Error(`still ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
