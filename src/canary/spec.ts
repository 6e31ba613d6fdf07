import type { ObjectRef } from '../manifest/types.ts';

/** Chosen once, when the Canary is parsed (Flagger: iterations and match decide). */
export type Strategy =
  | {
      readonly kind: 'canary';
      readonly steps: readonly number[];
      readonly maxWeight: number;
      /** Only these users are moved by weight, all others stay with the primary. Absent: everybody is. */
      readonly match?: readonly unknown[];
    }
  | { readonly kind: 'blue-green'; readonly iterations: number }
  | { readonly kind: 'ab-testing'; readonly iterations: number; readonly match: readonly unknown[] };

export interface ThresholdRange {
  readonly min?: number;
  readonly max?: number;
}

export interface MetricSpec {
  readonly name: string;
  /** Window of the query as written, e.g. `1m`. Absent in YAML: `1m`. */
  readonly interval: string;
  /** One range for all spellings: a scalar `threshold` is a minimum for request-success-rate and a maximum otherwise. */
  readonly range: ThresholdRange;
  readonly query?: string;
  readonly templateRef?: { readonly namespace: string; readonly name: string };
  readonly templateVariables?: Readonly<Record<string, string>>;
}

export type WebhookType =
  | 'confirm-rollout'
  | 'pre-rollout'
  | 'rollout'
  | 'confirm-traffic-increase'
  | 'confirm-promotion'
  | 'post-rollout'
  | 'event'
  | 'rollback';

export interface WebhookSpec {
  readonly name: string;
  readonly type: WebhookType;
  readonly url: string;
  /** For each try. Absent in YAML: 10,000. */
  readonly timeoutMs: number;
  /** Extra tries. */
  readonly retries: number;
  readonly disableTls: boolean;
  readonly muteAlert: boolean;
  readonly metadata: Readonly<Record<string, string>>;
}

/** How long a user stays on the version that answered first. Weighted strategy, on routers that can. */
export interface SessionAffinitySpec {
  readonly cookieName: string;
  /** Absent: only users of the canary are kept where they are. */
  readonly primaryCookieName?: string;
  /** Absent in YAML: 86,400. */
  readonly maxAgeSeconds: number;
  readonly domain?: string;
  readonly path?: string;
  readonly sameSite?: string;
  readonly httpOnly: boolean;
  readonly secure: boolean;
  readonly partitioned: boolean;
}

/** What browsers carry, `<cookie>=<value>` each; see affinity.ts. */
export interface SessionCookies {
  /** Absent: nobody is kept on the canary. */
  readonly current?: string;
  /** Browsers are told to forget it. */
  readonly previous?: string;
  readonly primary?: string;
}

export type AlertSeverity = 'info' | 'warn' | 'error';

/** Whom to tell, and from which severity on. */
export interface AlertSpec {
  readonly name: string;
  readonly provider: { readonly namespace: string; readonly name: string };
  /** `info` is everything. Absent in YAML: info. */
  readonly severity: AlertSeverity;
}

/** What a check that found nothing out does: count as failed, keep the weight without counting, or count as passed. */
export type InconclusiveAction = 'fail' | 'hold' | 'pass';

/** What each reason for finding nothing out does. A `hold` for lack of data counts as failed once the progress deadline is over. */
export interface InconclusivePolicy {
  /** The metric exists, but there were no requests to measure. */
  readonly noTraffic: InconclusiveAction;
  /** A provider that answers knows no such series. */
  readonly noSeries: InconclusiveAction;
  /** `hold` ends in a rollback after the progress deadline. */
  readonly unreachable: 'fail' | 'hold';
}

/** Why a check found nothing out. */
export type InconclusiveCause = keyof InconclusivePolicy;

export interface AnalysisSpec {
  readonly intervalMs: number;
  /** Failed checks at which the canary is rolled back; at least 1. */
  readonly threshold: number;
  /** Failed checks in a row at which it is rolled back, too; at least 1. Absent: only their sum counts. */
  readonly consecutive?: number;
  readonly strategy: Strategy;
  /** Absent: all traffic goes to the primary at once. */
  readonly stepWeightPromotion?: number;
  readonly mirror: boolean;
  readonly mirrorWeight?: number;
  /** Percent of pods that must be available. */
  readonly primaryReadyThreshold: number;
  readonly canaryReadyThreshold: number;
  readonly metrics: readonly MetricSpec[];
  readonly webhooks: readonly WebhookSpec[];
  /** Empty: the agent's own notifier hears of it. */
  readonly alerts: readonly AlertSpec[];
  /** Absent: the agent's settings decide. */
  readonly inconclusive?: Partial<InconclusivePolicy>;
  readonly sessionAffinity?: SessionAffinitySpec;
}

export interface CustomMetadata {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface ServiceSpec {
  /** Name of the apex service; `-primary` and `-canary` are derived from it. */
  readonly name: string;
  readonly port: number;
  readonly portName: string;
  /** Absent in YAML: `port`. */
  readonly targetPort: number | string;
  readonly appProtocol?: string;
  readonly portDiscovery: boolean;
  readonly headless: boolean;
  readonly trafficDistribution?: string;
  readonly apex: CustomMetadata;
  readonly primary: CustomMetadata;
  readonly canary: CustomMetadata;
  /** The route of Gateway API that stays its users' own, and of which only weights are written. Absent: the Canary makes one. */
  readonly routeRef?: ObjectRef;
  /** `spec.service` as written: what only some routers look at (hosts, gatewayRefs, match, rewrite, retries, headers, timeout, corsPolicy, ...). */
  readonly raw: Readonly<Record<string, unknown>>;
}

/** What is released: told by `targetRef` (a Service of `serving.knative.dev` is Knative's). */
export type TargetKind = 'Deployment' | 'DaemonSet' | 'Service' | 'Knative';

/** The autoscaler of the target, of which the primary gets a copy named `<name>-primary`. */
export interface AutoscalerSpec {
  readonly ref: ObjectRef;
  readonly kind: 'HorizontalPodAutoscaler' | 'ScaledObject';
  /** ScaledObject: trigger name to the primary's query. Absent: names in the queries are rewritten. */
  readonly primaryQueries?: Readonly<Record<string, string>>;
  /** Absent: as the target's autoscaler has it. */
  readonly primaryMinReplicas?: number;
  readonly primaryMaxReplicas?: number;
}

/** A Canary after parsing: defaults filled in, every value checked. */
export interface CanarySpec {
  readonly namespace: string;
  readonly name: string;
  /** Key into the routers' registry; the agent's default where the Canary says nothing. */
  readonly provider: string;
  /** Prometheus base URL of this canary. Absent: the agent's. */
  readonly metricsServer?: string;
  readonly target: ObjectRef;
  readonly targetKind: TargetKind;
  readonly autoscaler?: AutoscalerSpec;
  readonly ingressRef?: ObjectRef;
  /** All entrances where there are several; `ingressRef`, or `routeRef` of APISIX, is one of them. Absent: it is the only one. */
  readonly ingressRefs?: readonly ObjectRef[];
  /** The user's ApisixRoute. Absent: none is named. */
  readonly routeRef?: ObjectRef;
  /** Gloo's Upstream whose settings both versions get. Absent: none is named. */
  readonly upstreamRef?: ObjectRef;
  /** Kuma's mesh, by the annotation `kuma.io/mesh`. Absent: `default`. */
  readonly mesh?: string;
  readonly service: ServiceSpec;
  readonly analysis: AnalysisSpec;
  readonly progressDeadlineSeconds: number;
  /** How long the target's pods stay after a release that has taken their users elsewhere. Absent: as long as proxies need to forget them. */
  readonly scaleDownDelayMs?: number;
  readonly skipAnalysis: boolean;
  readonly suspend: boolean;
  readonly revertOnDeletion: boolean;
}
