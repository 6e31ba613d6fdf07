import type { CanarySpec } from '../../canary/types.ts';
import { parseStatus } from '../../canary/status.ts';
import type { Clock } from '../../lib/clock.ts';
import { keyOf } from '../../lib/key.ts';
import type { KubeObject } from '../../manifest/types.ts';
import type { Effects } from '../effects/execute.ts';
import type { JudgedReleases } from '../releases/releases.ts';
import type { Memory } from './memory.ts';

type App = Parameters<Effects['tell']>[1];

/** What keeps a canary from being looked at, told as events of it, each once an hour as long as it is the same. */
export interface Complaints {
  /** It holds: an error. */
  holds(canary: KubeObject, memory: Memory, message: string): void;
  /** The API server did not take what a look wrote, or did not answer. */
  refused(canary: KubeObject, spec: CanarySpec, memory: Memory, message: string): void;
  /** A warning that its sender tells once by itself. */
  warn(canary: KubeObject, app: App, message: string): void;
}

/** The API server forgets events after this time. */
export const complaintMs = 3_600_000;

export function createComplaints(
  clock: Clock,
  effects: Pick<Effects, 'tell'>,
  releases: Pick<JudgedReleases, 'releaseId'>,
): Complaints {
  /** The release that what happens to it now is of. */
  const releaseOf = (canary: KubeObject): string =>
    releases.releaseId(keyOf(canary.metadata), parseStatus(canary).phase);
  const isFresh = (atMs: number): boolean => clock.now() - atMs < complaintMs;
  const appOf = ({ metadata: { name, namespace = '' } }: KubeObject) => ({ name, namespace });
  return {
    holds(canary, memory, message) {
      if (memory.complaint === message && isFresh(memory.complainedAtMs)) return;
      memory.complaint = message;
      memory.complainedAtMs = clock.now();
      effects.tell(canary, appOf(canary), { type: 'Warning', level: 'error', message }, releaseOf(canary));
    },
    refused(canary, spec, memory, message) {
      const { refusal } = memory;
      if (refusal?.message === message && isFresh(refusal.atMs)) return;
      memory.refusal = { message, atMs: clock.now() };
      effects.tell(canary, spec, { type: 'Warning', level: 'info', message }, releaseOf(canary));
    },
    warn(canary, app, message) {
      effects.tell(canary, app, { type: 'Warning', level: 'info', message }, releaseOf(canary));
    },
  };
}
