import type { Answer, CanarySpec, CanaryStatus, ConfigKey } from '../../canary/types.ts';
import { seenOfMemory } from '../../canary/tick-memory.ts';
import { keyOf } from '../../lib/key.ts';
import type { KubeObject } from '../../manifest/types.ts';
import type { Router } from '../../routers/router.ts';
import type { AgentSettings } from '../deps.ts';
import type { Memory } from './memory.ts';
import { type Known, type Observed, observe, type ObserveInput } from './observe.ts';
import type { JudgedReleases } from '../releases/releases.ts';
import type { Views } from '../views/views.ts';
import type { KeysFor } from './canary-index.ts';

/** Whom a look is about. */
export interface Subject {
  readonly canary: KubeObject;
  readonly spec: CanarySpec;
  readonly status: CanaryStatus;
  readonly router: Router;
}

/** What only a tick knows; a look at whether there is anything to do goes without. */
interface OfTick {
  readonly answers: ReadonlyMap<string, Answer>;
  readonly desiredReplicas: number | undefined;
  readonly restMs: number | undefined;
  readonly isGateOpened: boolean;
}

export type Look = (subject: Subject, memory: Memory, nowMs: number, ofTick?: OfTick) => Promise<Observed>;

export interface LookOptions {
  readonly views: Views;
  readonly settings: AgentSettings;
  readonly releases: JudgedReleases;
  readonly keysFor: KeysFor;
  readonly workloadsInGit: ObserveInput['workloadsInGit'];
}

/** Observes a canary, with what is known of its release and what the loop remembers of it. */
export function createLook({ views, settings, releases, keysFor, workloadsInGit }: LookOptions): Look {
  return ({ canary, spec, status, router }, memory, nowMs, ofTick) => {
    const key = keyOf(spec);
    const recorded = releases.recorded(canary, status);
    const lastFailedCheck = ofTick && releases.lastFailedCheck(key);
    const known: Known = {
      nowMs,
      canary,
      desiredReplicas: ofTick?.desiredReplicas,
      answers: ofTick?.answers ?? new Map(),
      ...seenOfMemory(memory),
      ...(ofTick?.restMs === undefined ? {} : { restMs: ofTick.restMs }),
      ...(ofTick?.isGateOpened ? { isGateOpened: true } : {}),
      ...(lastFailedCheck === undefined ? {} : { lastFailedCheck }),
      ...(recorded === undefined ? {} : { recorded }),
      isPushedAgain: releases.isPushedAgain(canary, status),
      isRejectedTip: releases.isRejectedTip(canary, status),
      isUnapplied: !releases.isApplied(key, status.phase),
      releaseId: releases.releaseId(key, status.phase),
      underWay: releases.underWay(canary, status),
    };
    const noteConfigs = (configs: readonly ConfigKey[]): void => keysFor.noteConfigs(key, configs);
    return observe({ views, settings, router, spec, known, workloadsInGit, noteConfigs });
  };
}
