import { canonicalJson, shortHash } from '../lib/hash.ts';
import { perObject } from '../lib/memo.ts';
import type { KubeObject } from '../manifest/types.ts';
import type { AnalysisState } from './analysis-state.ts';
import type { Evidence, FailedCheck, Load, MetricSource } from './evidence.ts';
import type { AlertSeverity, InconclusivePolicy, MetricSpec, SessionCookies, WebhookSpec } from './spec.ts';
import type { ToldTrouble } from './trouble/trouble.ts';

export type * from './analysis-state.ts';
export type * from './evidence.ts';
export type * from './spec.ts';

/** Flagger's phases, in Flagger's spelling. The empty string is a Canary that was never looked at. */
export type Phase =
  | ''
  | 'Initializing'
  | 'Initialized'
  | 'Waiting'
  | 'Progressing'
  | 'WaitingPromotion'
  | 'Promoting'
  | 'Finalising'
  | 'Succeeded'
  | 'Failed'
  | 'Terminating'
  | 'Terminated';

/** Share of live traffic in integer percent. The primary's share is always 100 - canaryWeight, so it is never stored. */
export interface TrafficSplit {
  readonly canaryWeight: number;
  /** The canary gets a copy of the primary's requests; its answers are dropped. */
  readonly mirror: boolean;
}

/** `reason` is the whole message, `why` the same without whom it is about. Absent: the reason is all that there is to say. */
export type Readiness =
  | { readonly kind: 'ready' }
  | { readonly kind: 'progressing'; readonly reason: string; readonly why?: string }
  /** Waiting longer does not help: the progress deadline is over. */
  | { readonly kind: 'stuck'; readonly reason: string; readonly why?: string };

export interface CanaryCondition {
  readonly type: 'Promoted';
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly lastUpdateTime: string;
  readonly lastTransitionTime: string;
}

/** `status` of the Canary object, field by field as Flagger writes it. */
export interface CanaryStatus {
  readonly phase: Phase;
  readonly failedChecks: number;
  readonly canaryWeight: number;
  readonly iterations: number;
  /** `configmap/<name>` or `secret/<name>` to 16 hex digits. Absent: tracking is off. */
  readonly trackedConfigs?: Readonly<Record<string, string>>;
  /** Template hash of the target under or after analysis; empty before the first. */
  readonly lastAppliedSpec: string;
  /** Template hash that the primary is known to run. */
  readonly lastPromotedSpec: string;
  readonly lastTransitionTime?: string;
  readonly conditions?: readonly CanaryCondition[];
  /** How far the analysis has come; a condition of its own keeps it. Absent: only what the columns say is known (see analysis-state.ts). */
  readonly analysis?: AnalysisState;
  /** A person holds it; a condition of its own says so. Absent: nobody does. */
  readonly onHold?: PersonHold;
  /** `<cookie>=<value>` that keeps users on the canary now. */
  readonly sessionAffinityCookie?: string;
  /** The one before, which browsers are told to forget. */
  readonly previousSessionAffinityCookie?: string;
  readonly primarySessionAffinityCookie?: string;
}

interface PersonHold {
  /** As the request names it (see requests.ts). */
  readonly release: string;
  /** `by alice: reason` */
  readonly told: string;
  /** Whole seconds. */
  readonly sinceMs: number;
}

/** `configmap/<name>` or `secret/<name>`. */
export type ConfigKey = `configmap/${string}` | `secret/${string}`;

/** A ConfigMap or Secret as the core sees it: never its values, only a hash of them. */
export interface ConfigSeen {
  /** Hash of data (and binaryData); of a Secret a keyed one, see secret-checksums.ts. */
  readonly checksum: string;
  /** Opted out by annotation, or a Secret type that is not tracked. */
  readonly tracked: boolean;
  /** The uids of its owners. Absent: none. */
  readonly owners?: readonly string[];
  /** Those of them that are Canaries. Absent: none, so it is nobody's copy. */
  readonly canaries?: readonly string[];
}

/** A copy of an autoscaler that the Canary referred to before. */
export interface FormerScaler {
  readonly copy: KubeObject;
  /** What it was a copy of. Absent: it has gone. */
  readonly source?: KubeObject;
}

/**
 * `rejected`: this very release has been rolled back. `promoted`: likewise, and no status was written since. `replaced`: a newer release
 * was recorded since, whose status got lost, or what runs belongs to a commit that has none yet: what ended now would be told of that one.
 */
export type Recorded = 'rejected' | 'promoted' | 'replaced';

/** The world as one tick sees it. Absent objects are undefined. */
export interface Seen {
  readonly nowMs: number;
  /** The Canary object itself (uid, generation, deletionTimestamp, annotations). */
  readonly canary: KubeObject;
  readonly target: KubeObject | undefined;
  readonly primary: KubeObject | undefined;
  /** What serves the canary's users where that is neither the target nor its Service: Knative's latest Revision. Absent: there is none. */
  readonly candidate?: KubeObject;
  readonly apexService: KubeObject | undefined;
  readonly primaryService: KubeObject | undefined;
  readonly canaryService: KubeObject | undefined;
  /** What the routing objects say now; undefined where there are none yet. */
  readonly split: TrafficSplit | undefined;
  /** Why the routing objects cannot be used yet (e.g. the Gateway has not accepted the route). */
  readonly routeTrouble: string | undefined;
  /** The routing objects differ from what they should be apart from weights. */
  readonly routeDrift: boolean;
  /** Routing objects that must stand before pods of the primary are made do not, or differ. Absent: they stand, or there are none. */
  readonly lacksBeforePods?: true;
  /** ConfigMaps and Secrets that the target's template refers to, and what may be the primary's copies of them under their own names. Missing ones have no entry. */
  readonly configs: ReadonlyMap<ConfigKey, ConfigSeen>;
  /** ConfigMaps and Secrets that this Canary owns, alone or with others: copies of now and of before. Absent: none. */
  readonly ownCopies?: readonly ConfigKey[];
  /** What may be copies, there or not, and is referred to by primaries of other Canaries or targets. Absent: none. */
  readonly readByOthers?: ReadonlySet<ConfigKey>;
  /** spec.replicas that Git asks of the target; undefined where Git does not say. */
  readonly desiredReplicas: number | undefined;
  /** The autoscaler that `spec.autoscalerRef` names, and the primary's copy of it. Absent: there is none. */
  readonly scaler?: KubeObject;
  readonly primaryScaler?: KubeObject;
  /** The canary's share that a look gave which came to no end: its status does not say so. Absent: there is none such. Kept by the shell. */
  readonly ledTo?: number;
  /** No look has come to its end since the agent started: a status of the last step may have been lost with the agent before. Absent: one has. */
  readonly isFirstLook?: true;
  /** How long no check is due yet: an interval has not passed since the last one. Absent: it has. Kept by the shell. */
  readonly restMs?: number;
  /** A gate that it waited for has opened: what is behind it does not wait for the interval. Absent: no. */
  readonly isGateOpened?: true;
  /** Autoscalers that were made for this Canary's primary and are not the copy that it asks for now. Absent: none. */
  readonly formerScalers?: readonly FormerScaler[];
  /** The last failed check of this release, for its outcome (from its evidence). Absent: unknown. */
  readonly lastFailedCheck?: FailedCheck;
  /** What the record says of the release with this status and the status does not say yet (a restart in between). Absent: nothing. */
  readonly recorded?: Recorded;
  /** The version that was rolled back last, and that is there still, has been pushed once more. Absent: no. */
  readonly isPushedAgain?: boolean;
  /** Id of the release that what Git says is, as the cluster is now; empty where it is none. Absent: not known. */
  readonly releaseId?: string;
  /** Id of the release that the status is of, as its record says; empty: it has none, or it cannot be read. Absent: not known. */
  readonly underWay?: string;
  /**
   * What Git says and the target is was rejected and has been pushed once more. A promotion that failed leaves it with the primary, and it
   * is judged even so. Absent: no.
   */
  readonly isRejectedTip?: boolean;
  /** Git says something of the target or its configs that is not in the cluster yet: what is new there is only a part of it. Absent: no. */
  readonly isUnapplied?: boolean;
  /** It has been said that this canary stands still on request. Absent: not yet. Kept by the shell. */
  readonly isSuspensionTold?: boolean;
  /** Why the target's pods cannot be told from another workload's; looked for before the first Service is written. Absent: they can. */
  readonly overlap?: string;
  /** Answers to what `decide` asked in this tick, by questionKey. */
  readonly answers: ReadonlyMap<string, Answer>;
}

export type Question =
  | { readonly kind: 'hook'; readonly hook: WebhookSpec; readonly phase: Phase }
  | { readonly kind: 'metric'; readonly metric: MetricSpec }
  | { readonly kind: 'metrics-online' }
  /** Why the pods of a workload are not ready. `isLast`: the release ends with it, so all that is known is wanted. */
  | { readonly kind: 'pods'; readonly role: 'primary' | 'canary'; readonly isLast: boolean }
  /** Whether EndpointSlices tell of so many pods that serve the canary's users. */
  | { readonly kind: 'endpoints'; readonly pods: number };

export type HookAnswer =
  | { readonly kind: 'passed'; readonly load?: Load }
  | { readonly kind: 'rejected'; readonly reason: string };

/** "No data" is an answer, not an error. */
export type Sample =
  /** `source`: how it came about. Absent: not known. */
  | { readonly kind: 'value'; readonly value: number; readonly source?: MetricSource }
  | {
      readonly kind: 'no-data';
      readonly cause: 'noTraffic' | 'noSeries';
      readonly reason: string;
      readonly source?: MetricSource;
    }
  /** The question itself is wrong (bad query, missing template). `text` is the whole event message. */
  | { readonly kind: 'invalid'; readonly text: string }
  /** Nobody answered; nothing is known. `text` is the whole event message. */
  | { readonly kind: 'unreachable'; readonly text: string };

/** `trouble` is absent where none can be seen. */
interface PodsAnswer {
  readonly kind: 'pods';
  readonly trouble?: ToldTrouble;
}

/** What EndpointSlices say of the canary's Service. */
interface EndpointsAnswer {
  readonly kind: 'endpoints';
  /** Pods that are ready by them. Absent: nobody can say. */
  readonly ready?: number;
  /** How long they have told of all that were asked for. Absent: they do not. */
  readonly knownMs?: number;
  /** How long it has been asked without that. Absent: as `knownMs` says. */
  readonly unknownMs?: number;
}

export type Answer = HookAnswer | Sample | PodsAnswer | EndpointsAnswer;

/** What the agent's own settings contribute to decisions. */
export interface DecideSettings {
  /** Flagger's `-selector-labels`: the first that the target selects by is used. */
  readonly selectorLabels: readonly string[];
  /** Flagger's `-include-label-prefix`: what of the target's labels and annotations goes to generated objects; `*` is all. */
  readonly includeLabelPrefix: readonly string[];
  /** False: ConfigMaps and Secrets are neither copied nor watched for changes. */
  readonly configTracking: boolean;
  /** The agent's own provider: a Linkerd mesh names the metrics of all canaries. Absent: each canary's provider does. */
  readonly meshProvider?: string;
  /** Of Canaries that say nothing else. Absent: as in Flagger where a provider answers, held where it does not. */
  readonly inconclusive?: InconclusivePolicy;
}

export interface CanaryEvent {
  readonly type: 'Normal' | 'Warning';
  /** Flagger logs some warnings at error level; everything else at info. */
  readonly level: 'info' | 'error';
  readonly message: string;
  /** What event webhooks are told of the canary's phase. Absent: the one before this tick. */
  readonly phase?: Phase;
}

/** What the shell is to do. Every effect may be repeated without harm. */
export type Effect =
  | { readonly kind: 'event'; readonly event: CanaryEvent }
  /** Only a log line, no Kubernetes event. */
  | { readonly kind: 'log'; readonly message: string }
  | { readonly kind: 'alert'; readonly severity: AlertSeverity; readonly message: string; readonly withFields: boolean }
  /** Create (`over` undefined) or bring to this state (`over` is the live object it was computed from). */
  | { readonly kind: 'write'; readonly object: KubeObject; readonly over: KubeObject | undefined }
  /** Bring the primary's copy of this config to the source's state; `checksum` is the one that was judged. */
  | { readonly kind: 'copy-config'; readonly key: ConfigKey; readonly copy: ConfigKey; readonly checksum: string }
  /** Become an owner of a copy that the primary refers to and that another Canary owns: it must not go with that one. */
  | { readonly kind: 'join-copy'; readonly copy: ConfigKey }
  /** Own a copy no longer that the primary does not refer to; with its last owner it goes. */
  | { readonly kind: 'leave-copy'; readonly copy: ConfigKey }
  /** Takes away an autoscaler that was made for the primary; this very one. */
  | { readonly kind: 'remove-scaler'; readonly object: KubeObject }
  /** 0: no pods at all. Kinds that have no number of their own take any other for all of them. */
  | { readonly kind: 'scale-target'; readonly replicas: number }
  /** Create or repair the routing objects by which pods are made; they lead nobody anywhere. */
  | { readonly kind: 'prepare-route' }
  /** Create the routing objects or repair them without changing running weights. */
  | { readonly kind: 'reconcile-route' }
  | {
      readonly kind: 'set-route';
      readonly split: TrafficSplit;
      readonly cookies?: SessionCookies;
      /** Also users whom an A/B test leaves with the primary: it does not answer. Absent: as the strategy says. */
      readonly everyone?: true;
    }
  /** Gives routing objects that stood before the Canary back as they were. */
  | { readonly kind: 'restore-route' }
  /** Fire and forget hooks (post-rollout): their failure is an event, nothing more. */
  | { readonly kind: 'call-hook'; readonly hook: WebhookSpec; readonly phase: Phase }
  /** A release starts: what is judged from now on. */
  | {
      readonly kind: 'begin-release';
      readonly restarted: boolean;
      /** The revision, as the status is going to name it. */
      readonly templateHash: string;
      readonly configs: Readonly<Record<string, string>>;
    }
  /** A release under way has come to nothing: the target is back at what the primary runs. */
  | { readonly kind: 'withdraw-release' }
  /** A release ends. Recorded durably before the status that says so. */
  | {
      readonly kind: 'end-release';
      readonly verdict: 'promoted' | 'rolled-back';
      readonly failedCheck: FailedCheck | undefined;
    };

/** Who may be somewhere else after an effect: users with other pods, or pods gone. */
export type Moves = 'users' | 'pods' | 'nothing';

/** An effect at its place in a decision. */
export type PlannedEffect = Effect & {
  readonly moves: Moves;
  /** How long to wait after users were last moved, before this takes pods away. Absent: not at all. */
  readonly settleMs?: number;
  /** Is run where the API server refuses this one, before the tick ends: users who were to go home do not wait. Absent: nothing is. */
  readonly ifRefused?: Effect;
};

export interface Decision {
  /** In order; the first one that throws ends the tick and the status stays as it was. */
  readonly effects: readonly PlannedEffect[];
  /** Written once, after all effects; undefined where nothing changes. */
  readonly status: CanaryStatus | undefined;
  /** After the status is written; failures are only told. */
  readonly afterwards: readonly Effect[];
  readonly evidence: Evidence | undefined;
  /** What people have to know as long as it is so: the shell says it once. Absent: nothing. */
  readonly notice?: string;
  /** The release was judged: the next time is an interval after the last of what this tick asks and does. */
  readonly isJudged: boolean;
  /** After the beginning of this tick. */
  readonly nextTickMs: number;
}

export type Step =
  | { readonly kind: 'ask'; readonly question: Question }
  | { readonly kind: 'done'; readonly decision: Decision };

const metricKey = perObject(({ name, interval, query, templateRef, templateVariables }: MetricSpec): string => {
  const kind = templateRef ? 'template' : query ? 'query' : 'builtin';
  return `metric/${name}/${kind}/${shortHash(canonicalJson([interval, query, templateRef, templateVariables]))}`;
});

const hookKey = perObject(
  ({ type, name, url, metadata }: WebhookSpec): string =>
    `hook/${type}/${name}/${shortHash(canonicalJson([url, metadata]))}`,
);

/** Equal questions have equal keys; hooks and metrics may share a name as long as they ask something else. */
export function questionKey(question: Question): string {
  switch (question.kind) {
    case 'hook':
      return hookKey(question.hook);
    case 'metric':
      return metricKey(question.metric);
    case 'metrics-online':
      return 'metrics-online';
    case 'pods':
      return `pods/${question.role}/${question.isLast ? 'last' : 'now'}`;
    case 'endpoints':
      // A tick sees one number of pods.
      return 'endpoints';
  }
}
