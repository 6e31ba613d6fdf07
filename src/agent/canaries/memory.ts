import type { GateState } from '../../canary/gates.ts';
import type { Epoch } from '../../lib/fence.ts';
import { nothingRemembered, type TickMemory } from '../../canary/tick-memory.ts';
import type { Stop } from './interrupt.ts';

type Writable<T> = { -readonly [name in keyof T]: T[name] };

/**
 * What the loop keeps of a canary from tick to tick. All of it may be lost with the agent; what that does stands at each of them. What must
 * not get lost stands on the Canary: the hold's clock, counters and steps in its status, the release with its outcome in its record.
 */
export interface Memory extends Writable<TickMemory> {
  /** What goes on at this moment is over with the agent: these eight. */
  isRunning: boolean;
  /** How often something that it looks at has changed while it ran: then it is considered once more afterwards. */
  changesMeanwhile: number;
  /** Something has changed that was not looked at, because the view of the Canary was behind or a tick ran. */
  hasUnseen: boolean;
  /** A change is looked at. */
  isLooking: boolean;
  /** Something has changed meanwhile: one more look when this one is done. */
  looksAgain: boolean;
  /** Ends the question that it waits for an answer to. Absent: it waits for none. */
  interrupt: (() => void) | undefined;
  /** By which it is ended. Absent: it has asked nothing yet, or its last question was ended. */
  stop: Stop | undefined;
  /** The holding of the lease in which the tick under way began. */
  epoch: Epoch;
  /** When the next tick by schedule is due; 0 before the first. A new agent gives a release the rest of its interval by the status. */
  dueAtMs: number;
  /** Nothing was to be done, and nothing that it looks at has changed since. A new agent looks once more. */
  quiet: boolean;
  intervalMs: number;
  /** What was last complained about, and when, so that it is said once an hour. A new agent says it again. */
  complaint: string;
  complainedAtMs: number;
  /** What a look failed with last, likewise said once an hour. Absent: the last one was good. A new agent says it again. */
  refusal: { readonly message: string; readonly atMs: number } | undefined;
  /** For those who wait for a change. A new agent tells them of the first one that it finds. */
  phase: string;
  /** As the last tick found them. One that opens between two agents is found open at the next tick by schedule. */
  gates: GateState | undefined;
  /** What a person has approved, likewise. */
  approval: string | undefined;
  /** A gate that it waits for has opened: the next tick comes before its time. */
  gateOpened: boolean;
  /** The last notice of a decision that was said; empty: there was none the last time. A new agent says it once more. */
  notice: string;
}

export function emptyMemory(): Memory {
  return {
    ...nothingRemembered,
    isRunning: false,
    changesMeanwhile: 0,
    hasUnseen: false,
    isLooking: false,
    looksAgain: false,
    interrupt: undefined,
    stop: undefined,
    epoch: undefined,
    dueAtMs: 0,
    quiet: false,
    intervalMs: 0,
    complaint: '',
    complainedAtMs: 0,
    refusal: undefined,
    phase: '',
    gates: undefined,
    approval: undefined,
    gateOpened: false,
    notice: '',
  };
}
