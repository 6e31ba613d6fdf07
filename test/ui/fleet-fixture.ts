import type { Evidence, FailedCheck } from '../../src/canary/types.ts';
import { asRevision } from '../../src/git/repo.ts';
import { type AppKey, keyOf } from '../../src/lib/key.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import type { AppFacts, ToldEvent } from '../../src/report/types.ts';
import type { RecordedOutcome, ReleaseRecord } from '../../src/release/types.ts';

/** For browsers, too, whose clock is the machine's. */
export const nowMs = Math.floor(Date.now() / 1_000) * 1_000;
const revision = (letter: string): ReturnType<typeof asRevision> => asRevision(letter.repeat(40));
const iso = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');

export interface Made {
  readonly namespace?: string;
  readonly name: string;
  readonly phase: string;
  readonly weight?: number;
  readonly failedChecks?: number;
  readonly stable?: string;
  readonly candidate?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly looks?: readonly Evidence[];
  readonly outcome?: 'promoted' | 'rolled-back';
  readonly failed?: FailedCheck;
  readonly events?: readonly ToldEvent[];
  readonly webhooks?: readonly object[];
  /** Before `nowMs`, in seconds. */
  readonly since?: number;
  readonly held?: 'unknown' | 'unpromotable';
}

/** All that is known of an app, as the agent tells it. */
export function factsOf(made: Made): { readonly app: AppKey; readonly facts: AppFacts } {
  const {
    namespace = 'shop',
    name,
    phase,
    weight = 0,
    failedChecks = 0,
    stable = '2.1.0',
    candidate = '',
    since = 60,
  } = made;
  const sinceMs = nowMs - since * 1_000;
  const at = iso(sinceMs);
  const image = (tag: string): Readonly<Record<string, string>> => ({ app: `registry.example.test/${name}:${tag}` });
  const canary = {
    apiVersion: 'flagger.app/v1beta1',
    kind: 'Canary',
    metadata: {
      namespace,
      name,
      labels: made.labels ?? {},
      annotations: made.annotations ?? {},
      uid: `uid-${name}`,
      generation: 1,
    },
    spec: {
      provider: 'gatewayapi:v1',
      targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
      progressDeadlineSeconds: 60,
      service: { port: 80, gatewayRefs: [{ name: 'public', namespace: 'infra' }] },
      analysis: {
        interval: '10s',
        threshold: 5,
        stepWeight: 10,
        maxWeight: 50,
        metrics: [
          { name: 'request-success-rate', thresholdRange: { min: 99 }, interval: '1m' },
          { name: 'request-duration', thresholdRange: { max: 500 }, interval: '1m' },
        ],
        webhooks: made.webhooks ?? [],
      },
    },
    status: {
      phase,
      canaryWeight: weight,
      failedChecks,
      iterations: 0,
      lastAppliedSpec: 'b',
      lastPromotedSpec: 'a',
      lastTransitionTime: at,
      conditions: [
        { type: 'Promoted', status: 'Unknown', reason: phase, message: '', lastUpdateTime: at, lastTransitionTime: at },
        ...(made.held === undefined
          ? []
          : [
              {
                type: 'Held',
                status: 'True',
                reason: made.held === 'unknown' ? 'MetricsUnknown' : 'Unpromotable',
                message: '',
                lastUpdateTime: at,
                lastTransitionTime: at,
              },
            ]),
      ],
    },
  } as unknown as KubeObject;
  const state = {
    revision: revision('c'),
    images: image(candidate || stable),
    templateHash: 'b',
    configs: {},
    content: 'c2',
  };
  const outcome: RecordedOutcome | undefined = made.outcome && {
    verdict: made.outcome,
    atMs: sinceMs,
    ...(made.failed ? { failedCheck: made.failed } : {}),
    evidence: made.looks ?? [],
    state,
    written: revision('d'),
  };
  const record: ReleaseRecord | undefined =
    candidate === ''
      ? undefined
      : {
          id: '4f1c2ab0',
          revision: revision('c'),
          base: revision('b'),
          content: 'c2',
          judged: { templateHash: 'b', configs: {} },
          images: image(candidate),
          startedAtMs: (made.looks?.[0]?.atMs ?? sinceMs) - 10_000,
          supersedes: [],
          ...(outcome ? { outcome } : { evidence: made.looks ?? [] }),
        };
  return {
    app: keyOf({ namespace, name }),
    facts: {
      canary,
      provider: 'gatewayapi:v1',
      ...(record ? { record } : {}),
      ledger: {
        stable: {
          release: 7,
          releaseId: '77aa',
          revision: revision('b'),
          at: iso(nowMs - 86_400_000),
          images: image(stable),
          templateHash: 'a',
          configs: {},
          content: 'c1',
        },
        quarantine: [],
      },
      events: made.events ?? [],
    },
  };
}

/** Looks of a release that gets on: a step each look; `missing` have no values; `bad` fail. */
export function looksOf({
  count,
  missing = [],
  bad = [],
  endMs = nowMs,
}: {
  readonly count: number;
  readonly missing?: readonly number[];
  readonly bad?: readonly number[];
  readonly endMs?: number;
}): Evidence[] {
  return Array.from({ length: count }, (_, index): Evidence => {
    const atMs = endMs - (count - index) * 10_000;
    const source = {
      provider: 'prometheus',
      windowMs: 60_000,
      measuredAtMs: atMs,
      query: 'sum(rate(http_requests_total{code!~"5.."}[1m])) / sum(rate(http_requests_total[1m])) * 100',
    };
    const wave = Math.sin(index * 1.7);
    const isBad = bad.includes(index);
    const success = isBad ? 91.4 : 99.6 + wave * 0.3;
    return {
      atMs,
      canaryWeight: Math.min(50, (index + 1) * 10),
      iterations: 0,
      checks: missing.includes(index)
        ? [
            {
              name: 'request-success-rate',
              passed: false,
              found: {
                kind: 'no-data',
                metric: 'success-rate',
                cause: 'noSeries',
                reason: 'running query failed: no values found',
                source,
              },
            },
          ]
        : [
            {
              name: 'request-success-rate',
              passed: !isBad,
              found: {
                kind: 'measured',
                metric: 'success-rate',
                measurement: {
                  value: success,
                  unit: 'percent',
                  min: 99,
                  side: 'canary',
                  ...(isBad ? { broken: 'min' as const } : {}),
                  ...source,
                },
              },
            },
            {
              name: 'request-duration',
              passed: true,
              found: {
                kind: 'measured',
                metric: 'duration',
                measurement: {
                  value: 180 + wave * 60 + index * 9,
                  unit: 'milliseconds',
                  max: 500,
                  side: 'canary',
                  ...source,
                  query: 'histogram_quantile(0.99, …)',
                },
              },
            },
          ],
    };
  });
}

/** What a team has on an ordinary day. */
export function ordinaryDay(): readonly ReturnType<typeof factsOf>[] {
  return [
    factsOf({
      name: 'checkout',
      phase: 'WaitingPromotion',
      weight: 50,
      candidate: '4.7.0',
      stable: '4.6.2',
      since: 340,
      looks: looksOf({ count: 6 }),
      webhooks: [{ name: 'gate', type: 'confirm-promotion', url: 'http://gate.test/' }],
      labels: { team: 'shop' },
    }),
    factsOf({
      namespace: 'search',
      name: 'indexer',
      phase: 'Progressing',
      weight: 20,
      candidate: '1.9.3',
      stable: '1.9.2',
      since: 95,
      held: 'unknown',
      labels: { team: 'search' },
      looks: looksOf({ count: 3, missing: [2] }),
      events: [
        {
          atMs: nowMs - 9_000,
          type: 'Warning',
          message:
            'Halt indexer.search advancement inconclusive, held: no values found for metric request-success-rate',
        },
      ],
    }),
    factsOf({
      name: 'cart',
      phase: 'Progressing',
      weight: 40,
      candidate: '2.1.2',
      since: 4,
      looks: looksOf({ count: 14, missing: [5, 6, 7], bad: [10] }),
      failedChecks: 1,
      labels: { team: 'shop' },
      events: [
        { atMs: nowMs - 140_000, type: 'Normal', message: 'New revision detected! Scaling up cart.shop' },
        { atMs: nowMs - 130_000, type: 'Normal', message: 'Starting canary analysis for cart.shop' },
        { atMs: nowMs - 120_000, type: 'Normal', message: 'Advance cart.shop canary weight 10' },
        {
          atMs: nowMs - 90_000,
          type: 'Warning',
          message:
            'Halt advancement no values found for prometheus metric request-success-rate probably cart.shop is not receiving traffic: no values found',
        },
        {
          atMs: nowMs - 80_000,
          type: 'Warning',
          message:
            'Halt advancement no values found for prometheus metric request-success-rate probably cart.shop is not receiving traffic: no values found',
        },
        { atMs: nowMs - 40_000, type: 'Warning', message: 'Halt cart.shop advancement success rate 91.40% < 99%' },
        { atMs: nowMs - 10_000, type: 'Normal', message: 'Advance cart.shop canary weight 40' },
      ],
    }),
    factsOf({
      namespace: 'search',
      name: 'ranker',
      phase: 'Promoting',
      weight: 50,
      candidate: '0.44.1',
      stable: '0.44.0',
      since: 12,
      looks: looksOf({ count: 8 }),
      labels: { team: 'search' },
    }),
    factsOf({
      namespace: 'pay',
      name: 'ledger',
      phase: 'Failed',
      candidate: '3.1.2',
      stable: '3.1.1',
      outcome: 'rolled-back',
      since: 2_700,
      looks: looksOf({ count: 7, bad: [2, 3, 4, 5, 6] }),
      labels: { team: 'pay' },
      failed: {
        name: 'request-success-rate',
        found: {
          kind: 'measured',
          metric: 'success-rate',
          measurement: { value: 91.4, unit: 'percent', min: 99, broken: 'min', side: 'canary' },
        },
      },
    }),
    ...[
      'accounts',
      'addresses',
      'assets',
      'billing',
      'coupons',
      'delivery',
      'emails',
      'feed',
      'gateway',
      'images',
      'invoices',
      'reviews',
    ].map((name, index) =>
      factsOf({
        namespace: ['shop', 'pay', 'search'][index % 3] ?? 'shop',
        name,
        phase: index === 3 ? 'Initialized' : 'Succeeded',
        stable: `1.${index}.${(index * 7) % 5}`,
        since: 5_000 * (index + 1) ** 2,
        labels: { team: ['shop', 'pay', 'search'][index % 3] ?? 'shop' },
      }),
    ),
  ];
}
