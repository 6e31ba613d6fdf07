import { Counter, Gauge, Histogram, Registry } from 'prom-client';

export type AnalysisStrategy = 'canary' | 'blue-green' | 'ab-testing';

/** What `/metrics` shows: Flagger's names, so that its dashboards work, and our own for Git and sync. */
export interface Telemetry {
  readonly registry: Registry;
  readonly canaryTotal: Gauge<'namespace'>;
  /** 0 progressing, 1 everything else, 2 failed (Flagger). `name` is the target's name. */
  readonly canaryStatus: Gauge<'name' | 'namespace'>;
  /** 1 for the phase that a canary is in: what Flagger's status folds into three numbers. */
  readonly canaryPhase: Gauge<'name' | 'namespace' | 'phase'>;
  readonly canaryWeight: Gauge<'workload' | 'namespace'>;
  readonly canaryDuration: Histogram<'name' | 'namespace'>;
  readonly metricAnalysis: Gauge<'name' | 'namespace' | 'metric'>;
  readonly successes: Counter<'name' | 'namespace' | 'deployment_strategy' | 'analysis_status'>;
  readonly failures: Counter<'name' | 'namespace' | 'deployment_strategy' | 'analysis_status'>;
  readonly syncDuration: Histogram<'source'>;
  readonly syncFailures: Gauge<'source'>;
  /** 1 while the last sync could not be brought to its end. */
  readonly syncFailing: Gauge<'source'>;
  /** 1 while something is gone from Git and nothing is deleted. */
  readonly pruneHeld: Gauge<'source'>;
  readonly syncedAt: Gauge<'source'>;
  readonly gitPolls: Counter<'result' | 'source'>;
  readonly outcomes: Counter<'verdict' | 'result' | 'source'>;
  readonly outcomesPending: Gauge<'source'>;
  /** Those of them that something stands in the way of. */
  readonly outcomesBlocked: Gauge<'source'>;
  /** Commits that move images on. */
  readonly imageUpgrades: Counter<'result' | 'source'>;
  /** Containers with an image policy, by what it comes to: due, or why the image stays. */
  readonly imagePolicies: Gauge<'state' | 'source'>;
  /** When the tags of a repository were listed last, epoch seconds. */
  readonly imagesListedAt: Gauge<'repository'>;
  /** Requests to registries of images. */
  readonly registryRequests: Counter<'registry' | 'result'>;
  readonly eventsDropped: Counter;
  /** Releases that wait until those that are under way are late no more. */
  readonly releasesWaiting: Gauge;
  /** Requests to the Kubernetes API, repeats and watches included. */
  readonly kubernetesRequests: Counter<'verb' | 'resource'>;
  /** Requests that wait for their turn, because the API server is slow; the most urgent priority first: traffic, status, workload, event. */
  readonly kubernetesWaiting: Gauge<'priority'>;
  /** How many requests may be under way at once: what the API server has shown to answer. */
  readonly kubernetesLimit: Gauge;
  /** How late canaries were looked at, by their schedule. Its count is the number of looks. */
  readonly tickLateness: Histogram;
}

/** How the requests to the Kubernetes API stand. */
export interface RequestLoad {
  readonly limit: number;
  readonly waiting: Readonly<Record<string, number>>;
}

/** `load` is asked at each scrape; absent or undefined: nothing is known of it. */
export function createTelemetry(
  version: string,
  provider: string,
  load: () => RequestLoad | undefined = () => undefined,
): Telemetry {
  const registry = new Registry();
  const registers = [registry];
  const canary = ['name', 'namespace'] as const;
  const verdict = [...canary, 'deployment_strategy', 'analysis_status'] as const;
  const info = new Gauge({
    name: 'flagger_info',
    help: 'Version and default provider',
    labelNames: ['version', 'mesh_provider'],
    registers,
  });
  info.set({ version, mesh_provider: provider }, 1);
  return {
    registry,
    canaryTotal: new Gauge({
      name: 'flagger_canary_total',
      help: 'Canaries by namespace',
      labelNames: ['namespace'],
      registers,
    }),
    canaryStatus: new Gauge({
      name: 'flagger_canary_status',
      help: 'Last analysis: 0 running, 1 successful, 2 failed',
      labelNames: canary,
      registers,
    }),
    canaryPhase: new Gauge({
      name: 'serin_canary_phase',
      help: 'Phase that a canary is in',
      labelNames: [...canary, 'phase'],
      registers,
    }),
    canaryWeight: new Gauge({
      name: 'flagger_canary_weight',
      help: 'Traffic weight of a workload',
      labelNames: ['workload', 'namespace'],
      registers,
    }),
    canaryDuration: new Histogram({
      name: 'flagger_canary_duration_seconds',
      help: 'Seconds spent on one analysis tick',
      labelNames: canary,
      registers,
    }),
    metricAnalysis: new Gauge({
      name: 'flagger_canary_metric_analysis',
      help: 'Last value of a metric check',
      labelNames: [...canary, 'metric'],
      registers,
    }),
    successes: new Counter({
      name: 'flagger_canary_successes_total',
      help: 'Promotions',
      labelNames: verdict,
      registers,
    }),
    failures: new Counter({ name: 'flagger_canary_failures_total', help: 'Rollbacks', labelNames: verdict, registers }),
    syncDuration: new Histogram({
      name: 'serin_sync_duration_seconds',
      help: 'Seconds from a new revision to all its objects applied',
      labelNames: ['source'],
      registers,
    }),
    syncFailures: new Gauge({
      name: 'serin_sync_failed_objects',
      help: 'Files and objects of Git that are not in the cluster as Git says',
      labelNames: ['source'],
      registers,
    }),
    syncFailing: new Gauge({
      name: 'serin_sync_failing',
      help: '1 while the last sync could not be brought to its end',
      labelNames: ['source'],
      registers,
    }),
    pruneHeld: new Gauge({
      name: 'serin_prune_held',
      help: '1 while something is gone from Git and nothing is deleted',
      labelNames: ['source'],
      registers,
    }),
    syncedAt: new Gauge({
      name: 'serin_sync_last_success_timestamp_seconds',
      help: 'When the last complete sync ended',
      labelNames: ['source'],
      registers,
    }),
    gitPolls: new Counter({
      name: 'serin_git_polls_total',
      help: 'Polls of the Git server',
      labelNames: ['result', 'source'],
      registers,
    }),
    outcomes: new Counter({
      name: 'serin_outcomes_total',
      help: 'Outcomes written to Git',
      labelNames: ['verdict', 'result', 'source'],
      registers,
    }),
    outcomesPending: new Gauge({
      name: 'serin_outcomes_pending',
      help: 'Outcomes that wait for their push',
      labelNames: ['source'],
      registers,
    }),
    outcomesBlocked: new Gauge({
      name: 'serin_outcomes_blocked',
      help: 'Outcomes that wait, and something stands in the way of their push',
      labelNames: ['source'],
      registers,
    }),
    imageUpgrades: new Counter({
      name: 'serin_image_upgrades_total',
      help: 'Commits that move images on to a new tag, by what came of them',
      labelNames: ['result', 'source'],
      registers,
    }),
    imagePolicies: new Gauge({
      name: 'serin_image_policies',
      help: 'Containers with an image policy, by what it comes to: due, or why the image stays',
      labelNames: ['state', 'source'],
      registers,
    }),
    imagesListedAt: new Gauge({
      name: 'serin_image_list_timestamp_seconds',
      help: 'When the tags of a repository were listed last',
      labelNames: ['repository'],
      registers,
    }),
    registryRequests: new Counter({
      name: 'serin_registry_requests_total',
      help: 'Requests to registries of images, by what was answered',
      labelNames: ['registry', 'result'],
      registers,
    }),
    eventsDropped: new Counter({
      name: 'serin_events_dropped_total',
      help: 'Kubernetes events, event webhooks and alerts that were given up',
      registers,
    }),
    releasesWaiting: new Gauge({
      name: 'serin_releases_waiting',
      help: 'New releases that do not begin while those that are under way are late',
      registers,
    }),
    kubernetesRequests: new Counter({
      name: 'serin_kubernetes_requests_total',
      help: 'Requests to the Kubernetes API, repeats and watches included',
      labelNames: ['verb', 'resource'],
      registers,
    }),
    kubernetesWaiting: new Gauge({
      name: 'serin_kubernetes_requests_waiting',
      help: 'Requests to the Kubernetes API that wait for their turn, by priority',
      labelNames: ['priority'],
      registers,
      collect() {
        for (const [priority, count] of Object.entries(load()?.waiting ?? {})) this.set({ priority }, count);
      },
    }),
    kubernetesLimit: new Gauge({
      name: 'serin_kubernetes_requests_limit',
      help: 'Requests to the Kubernetes API that may be under way at once, as its answers have shown',
      registers,
      collect() {
        this.set(load()?.limit ?? 0);
      },
    }),
    tickLateness: new Histogram({
      name: 'serin_tick_lateness_seconds',
      help: 'How late canaries were looked at, by their schedule',
      buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    }),
  };
}
