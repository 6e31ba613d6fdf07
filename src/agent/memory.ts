import type { GateState } from '../canary/gates.ts';
import type { Judged } from './cadence.ts';
import type { Stop } from './interrupt.ts';

/** What the loop keeps of a canary from tick to tick. All of it may be lost: the next tick finds it out again. */
export interface Memory {
  isRunning: boolean;
  /** How often something that it looks at has changed while it ran: then it is considered once more afterwards. */
  changesMeanwhile: number;
  /** Something has changed that was not looked at, because the view of the Canary was behind or a tick ran. */
  hasUnseen: boolean;
  /** Ends the question that it waits for an answer to. Absent: it waits for none. */
  interrupt: (() => void) | undefined;
  /** By which it is ended. Absent: it has asked nothing yet, or its last question was ended. */
  stop: Stop | undefined;
  /** Version of the Canary that our last status write made, until the view has it. */
  ahead: string | undefined;
  /** Held since then because checks find nothing out. */
  heldSinceMs: number | undefined;
  /** Absent: none is known. */
  judged: Judged | undefined;
  /** When the next tick by schedule is due; 0 before the first. */
  dueAtMs: number;
  /** Nothing was to be done, and nothing that it looks at has changed since. */
  quiet: boolean;
  intervalMs: number;
  /** What was last complained about, and when, so that it is said once an hour. */
  complaint: string;
  complainedAtMs: number;
  phase: string;
  /** As the last tick found them. */
  gates: GateState | undefined;
  /** A gate that it waits for has opened: the next tick comes before its time. */
  gateOpened: boolean;
  suspensionTold: boolean;
}

export function emptyMemory(): Memory {
  return {
    isRunning: false,
    changesMeanwhile: 0,
    hasUnseen: false,
    interrupt: undefined,
    stop: undefined,
    ahead: undefined,
    heldSinceMs: undefined,
    judged: undefined,
    dueAtMs: 0,
    quiet: false,
    intervalMs: 0,
    complaint: '',
    complainedAtMs: 0,
    phase: '',
    gates: undefined,
    gateOpened: false,
    suspensionTold: false,
  };
}
