import { readdir, readFile, readlink } from 'node:fs/promises';
import { availableParallelism } from 'node:os';

/** Of what takes part in a release. */
export const parts = ['API server', 'etcd', 'controllers', 'agent', 'benchmark'] as const;
type Part = (typeof parts)[number];

/** Who used this machine between two readings. CPU in milliseconds, of all cores together. */
export interface MachineShare {
  readonly cores: number;
  readonly seconds: number;
  /** Without a part that does not run in this network on this machine. */
  readonly cpuMs: Readonly<Partial<Record<Part, number>>>;
  /** Of all else on this machine. */
  readonly othersMs: number;
  readonly idleMs: number;
}

interface Reading {
  readonly atMs: number;
  readonly cpuMs: Partial<Record<Part, number>>;
  readonly busyMs: number;
  readonly idleMs: number;
}

/** By the fifteen letters that the kernel keeps of a program's name. */
const programs: ReadonlyMap<string, Part> = new Map([
  ['kube-apiserver', 'API server'],
  ['etcd', 'etcd'],
  ['kube-controller', 'controllers'],
  ['kube-scheduler', 'controllers'],
]);

/** Of /proc. */
const tickMs = 10;

/** Begins a measurement; the returned function ends it. Undefined where the machine does not say. */
export async function measureMachine(agentPid: number): Promise<() => Promise<MachineShare | undefined>> {
  const before = await read(agentPid);
  return async () => {
    const after = await read(agentPid);
    return before && after ? shareOf(before, after) : undefined;
  };
}

function shareOf(before: Reading, after: Reading): MachineShare {
  const cpuMs: Partial<Record<Part, number>> = {};
  let known = 0;
  for (const part of parts) {
    const [from, to] = [before.cpuMs[part], after.cpuMs[part]];
    if (from === undefined || to === undefined) continue;
    cpuMs[part] = Math.max(0, to - from);
    known += Math.max(0, to - from);
  }
  return {
    cores: availableParallelism(),
    seconds: (after.atMs - before.atMs) / 1_000,
    cpuMs,
    othersMs: Math.max(0, after.busyMs - before.busyMs - known),
    idleMs: after.idleMs - before.idleMs,
  };
}

async function read(agentPid: number): Promise<Reading | undefined> {
  const text = await readFile('/proc/stat', 'utf8').catch(() => '');
  const [, user, nice, system, idle, wait, ...rest] = (/^cpu .*/.exec(text)?.[0] ?? '').split(/\s+/).map(Number);
  if (user === undefined || nice === undefined || system === undefined || idle === undefined || wait === undefined)
    return undefined;
  // What guests use is counted in what users do.
  const busy = [user, nice, system, ...rest.slice(0, 3)].reduce((sum, ticks) => sum + ticks, 0);
  const cpuMs: Partial<Record<Part, number>> = {};
  const own = await readlink('/proc/self/ns/net').catch(() => undefined);
  for (const entry of await readdir('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    const stat = await readFile(`/proc/${entry}/stat`, 'utf8').catch(() => undefined);
    const part = stat === undefined ? undefined : partOf(pid, stat, agentPid);
    if (stat === undefined || part === undefined) continue;
    if ((await readlink(`/proc/${entry}/ns/net`).catch(() => undefined)) !== own) continue;
    cpuMs[part] = (cpuMs[part] ?? 0) + cpuOf(stat, part);
  }
  return { atMs: performance.now(), cpuMs, busyMs: busy * tickMs, idleMs: (idle + wait) * tickMs };
}

function partOf(pid: number, stat: string, agentPid: number): Part | undefined {
  if (pid === agentPid) return 'agent';
  if (pid === process.pid) return 'benchmark';
  return programs.get(stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')')));
}

/** User and system time are the 14th and 15th field; then those of children that have ended, as Git's for our Git server. */
function cpuOf(stat: string, part: Part): number {
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const counted = fields.slice(11, part === 'benchmark' ? 15 : 13);
  return counted.reduce((sum, ticks) => sum + ticks, 0) * tickMs;
}

/** How long the machine needs at least for what this work took, with the cores that others leave. */
export function floorSeconds({ cores, seconds, cpuMs, othersMs }: MachineShare): number {
  const left = Math.max(0.1, cores - othersMs / 1_000 / seconds);
  return sumOf(cpuMs) / 1_000 / left;
}

/** The cores that nobody but the API server wanted. */
export function coresForServer({ cores, seconds, cpuMs, othersMs }: MachineShare): number {
  const { 'API server': server = 0, ...rest } = cpuMs;
  return Math.max(server / 1_000 / seconds, cores - (othersMs + sumOf(rest)) / 1_000 / seconds);
}

const sumOf = (cpuMs: MachineShare['cpuMs']): number => Object.values(cpuMs).reduce((sum, ms) => sum + ms, 0);
