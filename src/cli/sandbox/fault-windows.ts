import { parseGoDuration } from '../../lib/duration.ts';
import { AgentError } from '../../lib/errors.ts';

/** The faults that can be ordered, and what each of them is. */
export const faultKinds = {
  'git-down': 'the Git server takes no connections',
  'git-slow': 'the Git server answers 5 s late',
  'git-push-refused': 'the Git server refuses every push: the branch is protected',
  'git-unauthorized': 'the Git server answers 401',
  'api-down': 'the API server takes no connections',
  'api-slow': 'the API server answers 2 s late',
  'api-429': 'the API server answers 429 with Retry-After',
  'api-watches-cut': 'the API server resets all watches, again every second',
  'metrics-down': 'Prometheus takes no connections',
} as const;

export type FaultKind = keyof typeof faultKinds;

/** Times count from the first line that the sandbox prints, in its clock's milliseconds. */
export interface FaultWindow {
  readonly kind: FaultKind;
  readonly fromMs: number;
  /** Absent: until the sandbox ends. */
  readonly untilMs?: number;
}

/** `NAME`, `NAME@FROM..` or `NAME@FROM..UNTIL`, times as durations (`30s`, `1m30s`). Throws CONFIG_INVALID. */
export function parseFault(text: string): FaultWindow {
  const refuse = (why: string): never => {
    throw new AgentError('CONFIG_INVALID', `--fault ${text}: ${why}`);
  };
  const [name = '', window, ...more] = text.split('@');
  if (!isKind(name)) return refuse(`"${name}" is no fault; known are ${Object.keys(faultKinds).join(', ')}`);
  if (window === undefined) return { kind: name, fromMs: 0 };
  const [from = '', until, ...rest] = window.split('..');
  if (until === undefined || more.length > 0 || rest.length > 0)
    return refuse(`write ${name}@FROM..UNTIL, or ${name}@FROM.. until the end, e.g. ${name}@30s..1m`);
  const ms = (time: string): number => {
    const found = parseGoDuration(time);
    return found === undefined || found < 0 ? refuse(`"${time}" is no duration; write it like 30s or 1m30s`) : found;
  };
  const fromMs = ms(from);
  if (until === '') return { kind: name, fromMs };
  const untilMs = ms(until);
  return untilMs > fromMs ? { kind: name, fromMs, untilMs } : refuse('it ends before it begins');
}

const isKind = (name: string): name is FaultKind => Object.hasOwn(faultKinds, name);

/** Which faults there are at a time, each once. */
export function faultsAt(windows: readonly FaultWindow[], ms: number): ReadonlySet<FaultKind> {
  const now = windows.filter(({ fromMs, untilMs }) => fromMs <= ms && ms < (untilMs ?? Number.POSITIVE_INFINITY));
  return new Set(now.map(({ kind }) => kind));
}

/** When the faults change, in order. */
export function changesOf(windows: readonly FaultWindow[]): readonly number[] {
  const times = windows.flatMap(({ fromMs, untilMs }) => (untilMs === undefined ? [fromMs] : [fromMs, untilMs]));
  return [...new Set(times)].sort((a, b) => a - b);
}
