import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import type { GitFault } from '../../sandbox/git-server.ts';
import { changesOf, type FaultKind, faultKinds, faultsAt, type FaultWindow } from './fault-windows.ts';
import type { Ground } from './ground.ts';

const gitSlowMs = 5_000;
const apiSlowMs = 2_000;
const cutEveryMs = 1_000;
const refusal = '#!/bin/sh\necho "the branch is protected" >&2\nexit 1\n';

/** How a fault begins and ends. All of them can be begun and ended in any order. */
interface Switch {
  begin(): void | Promise<void>;
  end(): void | Promise<void>;
}

/** Begins and ends the ordered faults from now on; `tell` hears of each. Returns what ends the course; its faults end with the sandbox. */
export function runFaults(
  windows: readonly FaultWindow[],
  ground: Ground,
  gitDir: string,
  clock: Clock,
  speed: number,
  tell: (text: string) => void,
): () => Promise<void> {
  const startMs = clock.now();
  const switches = switchesOf(ground, gitDir, clock, speed);
  const timers = new Set<() => void>();
  let active: ReadonlySet<FaultKind> = new Set();
  let turning = Promise.resolve();
  const become = async (next: ReadonlySet<FaultKind>): Promise<void> => {
    const ended = [...active].filter((kind) => !next.has(kind));
    const begun = [...next].filter((kind) => !active.has(kind));
    active = next;
    for (const kind of ended) await switches[kind].end();
    for (const kind of begun) await switches[kind].begin();
    for (const kind of ended) tell(`fault ${kind} ends`);
    for (const kind of begun) tell(`fault ${kind} begins: ${faultKinds[kind]}`);
  };
  const turn = (atMs: number): void => {
    turning = turning
      .then(() => become(faultsAt(windows, atMs)))
      .catch((error: unknown) => tell(`a fault cannot be made: ${String(error)}`));
  };
  for (const atMs of changesOf(windows)) {
    if (atMs === 0) turn(0);
    else timers.add(clock.after(startMs + atMs - clock.now(), () => turn(atMs)));
  }
  return async () => {
    for (const cancel of timers) cancel();
    await turning;
    if (active.has('api-watches-cut')) await switches['api-watches-cut'].end();
  };
}

function switchesOf(
  { gitServer, sandbox: { faults, metricsFaults } }: Ground,
  gitDir: string,
  clock: Clock,
  speed: number,
): Readonly<Record<FaultKind, Switch>> {
  const gitFaults = new Map<FaultKind, GitFault>();
  const git = (kind: FaultKind, fault: GitFault): Switch => {
    const rearm = (): void => {
      gitServer.faults.clear();
      for (const one of gitFaults.values()) gitServer.faults.inject(one);
    };
    return {
      begin: () => {
        gitFaults.set(kind, fault);
        rearm();
      },
      end: () => {
        gitFaults.delete(kind);
        rearm();
      },
    };
  };
  const hook = join(gitDir, 'hooks', 'pre-receive');
  let cancelCut: (() => void) | undefined;
  const cut = (): void => {
    faults.resetWatches();
    cancelCut = clock.after(cutEveryMs, cut);
  };
  return {
    'git-down': { begin: () => gitServer.faults.down(), end: () => gitServer.faults.up() },
    'git-slow': git('git-slow', { kind: 'slow', delayMs: gitSlowMs / speed }),
    'git-unauthorized': git('git-unauthorized', { kind: 'status', status: 401 }),
    'git-push-refused': {
      begin: () => writeFile(hook, refusal, { mode: 0o755 }),
      end: () => rm(hook, { force: true }),
    },
    'api-down': { begin: () => faults.down(), end: () => faults.up() },
    'api-slow': { begin: () => faults.slowRequests(apiSlowMs / speed), end: () => faults.slowRequests(0) },
    'api-429': {
      begin: () => faults.failRequests(Number.POSITIVE_INFINITY, 429, 1),
      end: () => faults.failRequests(0, 429),
    },
    'api-watches-cut': { begin: cut, end: () => cancelCut?.() },
    'metrics-down': { begin: () => metricsFaults.down(), end: () => metricsFaults.up() },
  };
}
