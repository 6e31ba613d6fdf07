import { needsTickNow } from '../../canary/decide.ts';
import { approvalTextOf, gatesOf, opensByApproval, opensGate } from '../../canary/gates.ts';
import { isUnderAnalysis } from '../../canary/phase.ts';
import { parseStatus } from '../../canary/status.ts';
import type { CanarySpec, CanaryStatus, DecideSettings } from '../../canary/types.ts';
import type { Clock } from '../../lib/clock.ts';
import { AgentError, messageOf } from '../../lib/errors.ts';
import { type AppKey, keyOf } from '../../lib/key.ts';
import type { Logger } from '../../lib/log.ts';
import type { KubeObject } from '../../manifest/types.ts';
import type { ClusterKey } from '../views/cluster-key.ts';
import type { KeysFor } from './canary-index.ts';
import type { CanaryView } from './canary-view.ts';
import type { Conflicts } from './conflicts.ts';
import type { Look } from './look.ts';
import type { Memory } from './memory.ts';
import type { ParsedCanaries, ParsedCanary } from './parsed-canaries.ts';

/** Which changes in the cluster bring a tick before its time. */
export interface Consider {
  /** Something that this canary looks at has changed, or may have. */
  look(key: AppKey): void;
  /** A watched object has changed; `isOwn`: by this process. */
  onChange(kind: string, namespace: string, name: string, isOwn: boolean): void;
}

export interface ConsiderOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly view: CanaryView;
  /** Webhooks of this host are the agent's own gates. */
  readonly gateHost: string;
  readonly clusterKey: Pick<ClusterKey, 'statusOf'>;
  readonly memories: ReadonlyMap<AppKey, Memory>;
  readonly memoryOf: (key: AppKey) => Memory;
  readonly parsedCanaries: ParsedCanaries;
  readonly conflicts: Conflicts;
  readonly keysFor: KeysFor;
  /** Without its analysis, where the ledger proves what it releases. */
  readonly asProven: (canary: KubeObject, spec: CanarySpec, status: CanaryStatus) => CanarySpec;
  readonly look: Look;
  readonly decideSettings: DecideSettings;
  /** When one that was not known is looked at first. False: it was known. */
  readonly begin: (key: AppKey, memory: Memory, spec: ParsedCanary['spec'], status: CanaryStatus) => boolean;
  /** A tick now. */
  readonly add: (key: AppKey) => void;
  readonly addAt: (key: AppKey, atMs: number) => void;
}

export function createConsider({
  clock,
  log,
  view,
  gateHost,
  clusterKey,
  memories,
  memoryOf,
  parsedCanaries,
  conflicts,
  keysFor,
  asProven,
  look: lookAt,
  decideSettings,
  begin,
  add,
  addAt,
}: ConsiderOptions): Consider {
  /** A change in the cluster: is there anything to do before the next tick? */
  const consider = async (key: AppKey): Promise<void> => {
    const canary = view.get(key);
    if (!canary) return add(key);
    const isNew = !memories.has(key);
    const memory = memoryOf(key);
    memory.quiet = false;
    if (memory.isRunning) {
      memory.changesMeanwhile += 1;
      if (memory.interrupt === undefined) return;
    }
    const isOwnStatus = !memory.isRunning && view.isAtOwnStatus(key);
    // What the view still says of it is older than our own write, whose change comes next.
    if (!isNew && view.isBehind(canary)) {
      memory.hasUnseen = true;
      return;
    }
    // Its own status tells a release under way nothing; at rest and at the start it may be the last thing that was waited for.
    const tellsNothing = isOwnStatus && !memory.hasUnseen && !isNew && isUnderAnalysis(parseStatus(canary).phase);
    memory.hasUnseen = false;
    if (tellsNothing) return;
    let understood: ParsedCanary;
    try {
      understood = parsedCanaries.of(key, canary);
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      return add(key);
    }
    const { router } = understood;
    const status = clusterKey.statusOf(canary);
    const spec = asProven(canary, understood.spec, status);
    const now = gatesOf(canary);
    const approval = approvalTextOf(canary);
    memory.gateOpened ||= opensByApproval(spec, status, { before: memory.approval ?? approval, now: approval });
    memory.gateOpened ||= opensGate(spec, status, gateHost, { before: memory.gates ?? now, now });
    if (begin(key, memory, spec, status)) addAt(key, memory.dueAtMs);
    if (memory.isLooking) {
      // One more look, at all that changes until then.
      memory.hasUnseen = true;
      memory.looksAgain = true;
      return;
    }
    memory.isLooking = true;
    const { seen } = await lookAt({ canary, spec, status, router }, memory, clock.now()).finally(() => {
      memory.isLooking = false;
      if (!memory.looksAgain) return;
      memory.looksAgain = false;
      look(key);
    });
    const cannotWait = memory.gateOpened || needsTickNow(spec, status, seen, decideSettings);
    if (memory.isRunning) {
      // A rollback does not wait for a slow webhook or metric either.
      if (cannotWait && isUnderAnalysis(status.phase)) memory.interrupt?.();
      return;
    }
    // One that was refused has no schedule; now that it can be understood it goes on.
    if (cannotWait || memory.complaint !== '') add(key);
  };

  const look = (key: AppKey): void => {
    consider(key).catch((error: unknown) => {
      // The interval's tick sees the same and reports it.
      log.debug({ canary: key, reason: messageOf(error) }, 'a change could not be looked at');
    });
  };
  const isJudged = (key: AppKey): boolean => {
    const canary = memories.has(key) ? view.get(key) : undefined;
    return canary !== undefined && isUnderAnalysis(parseStatus(canary).phase);
  };
  const onChange = (kind: string, namespace: string, name: string, isOwn: boolean): void => {
    const own = keyOf({ namespace, name });
    const keys = kind === 'Canary' ? [own, ...conflicts.waitingFor(own)] : keysFor(kind, namespace, name);
    // Its own step tells a release under way nothing; what the step made somebody else do is a change of its own.
    if (isOwn && keys.length === 1 && keys.every(isJudged)) return;
    for (const key of keys) look(key);
  };

  return { look, onChange };
}
