import type { ClusterClient } from '../../cluster/client.ts';
import type { Reflection } from '../../cluster/cluster.ts';
import type { LoadCounts } from '../../sandbox/traffic/load.ts';
import type { Output } from '../output.ts';

interface CanaryShown {
  readonly phase: string;
  readonly weight: number;
  readonly failedChecks: number;
}

/** What the demo shows and waits for, all of it read from the cluster as any client would. */
export interface View {
  canary(): CanaryShown;
  readonly synced: Promise<void>;
  close(): void;
}

const barWidth = 30;

/** Prints every event once, as it comes, and keeps a live picture below it on a terminal. */
export function showCanary(
  cluster: ClusterClient,
  namespace: string,
  name: string,
  output: Output,
  counts: () => LoadCounts,
  signal: AbortSignal,
): View {
  const { colour } = output;
  const canaries: Reflection = cluster.reflect(
    { apiVersion: 'flagger.app/v1beta1', kind: 'Canary' },
    { namespace },
    signal,
  );
  const events: Reflection = cluster.reflect({ apiVersion: 'v1', kind: 'Event' }, { namespace }, signal);
  const startedMs = Date.now();
  const read = (): CanaryShown => {
    const status = (canaries.get(namespace, name)?.['status'] ?? {}) as {
      phase?: string;
      canaryWeight?: number;
      failedChecks?: number;
    };
    return { phase: status.phase ?? '', weight: status.canaryWeight ?? 0, failedChecks: status.failedChecks ?? 0 };
  };
  events.onChange((change) => {
    if (change.kind === 'deleted') return;
    const event = change.object as unknown as { type?: string; message?: string; reason?: string; count?: number };
    if (event.reason !== 'Synced') return;
    const seconds = ((Date.now() - startedMs) / 1000).toFixed(1).padStart(5);
    const message = event.message ?? '';
    const painted = event.type === 'Warning' ? colour.yellow(message) : colour.green(message);
    output.line(`${colour.dim(`${seconds}s`)}  ${painted}`);
  });
  let before: LoadCounts = { requests: 0, statuses: {}, versions: {}, succeeded: {} };
  let recent: LoadCounts = before;
  const draw = (): void => {
    const { phase, weight, failedChecks } = read();
    const filled = Math.round((weight / 100) * barWidth);
    const bar = `${colour.cyan('█'.repeat(filled))}${colour.dim('░'.repeat(barWidth - filled))}`;
    const now = counts();
    const versions = Object.keys(now.versions).filter(
      (version) => (now.versions[version] ?? 0) > (before.versions[version] ?? 0),
    );
    recent = now;
    const rates = versions.map((version) => {
      const all = (now.versions[version] ?? 0) - (before.versions[version] ?? 0);
      const good = (now.succeeded[version] ?? 0) - (before.succeeded[version] ?? 0);
      const percent = all === 0 ? 100 : (good / all) * 100;
      return `version ${version || '?'}: ${all} requests, ${percent < 99 ? colour.red(`${percent.toFixed(1)}%`) : colour.green(`${percent.toFixed(1)}%`)} good`;
    });
    output.live([
      '',
      `  ${colour.bold(`${name}.${namespace}`)}  ${phase.padEnd(12)} canary ${bar} ${String(weight).padStart(3)}%  failed checks ${failedChecks}`,
      `  waits for ${awaited(phase, weight)}`,
      `  ${rates.sort().join('   ')}`,
    ]);
  };
  const timer = setInterval(draw, 500);
  const window = setInterval(() => {
    before = recent;
  }, 3_000);
  return {
    canary: read,
    synced: canaries.synced,
    close() {
      clearInterval(timer);
      clearInterval(window);
      output.live([]);
      output.endLive();
    },
  };
}

/** What has to happen before anything moves on. */
function awaited(phase: string, weight: number): string {
  switch (phase) {
    case 'Progressing':
      return weight === 0 ? 'the new pods, then the first step' : `the checks at ${weight} % to pass`;
    case 'WaitingPromotion':
    case 'Waiting':
      return 'an approval';
    case 'Promoting':
      return 'the primary to run the new version';
    case 'Finalising':
      return 'the last requests to leave the canary';
    case 'Succeeded':
    case 'Failed':
    case 'Initialized':
      return 'the outcome in Git, and the next push';
    default:
      return 'the first version to be ready';
  }
}
