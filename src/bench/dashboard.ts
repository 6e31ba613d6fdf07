import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Measured, spreadOf } from './spread.ts';

/** The server of the dashboard in this process, with a thousand apps of which a hundred move. */
export interface DashboardUnderTest {
  readonly url: string;
  /** Tells of a look at one of those that move. */
  change(index: number): void;
  close(): Promise<void>;
}

const viewers = 20;
const moving = 100;
/** One look each ten seconds. */
const lookMs = 10_000;
const watchedMs = 20_000;

/** What the first page of a large fleet costs, and what it costs that twenty people keep it open. */
export async function dashboardCosts(
  signal: AbortSignal,
  open: () => Promise<DashboardUnderTest>,
): Promise<readonly Measured[]> {
  const dashboard = await open();
  try {
    const times: number[] = [];
    let bytes = 0;
    for (let round = 0; round < 25; round += 1) {
      signal.throwIfAborted();
      const atMs = performance.now();
      const answer = await fetch(dashboard.url, { headers: { 'accept-encoding': 'identity' } });
      bytes = (await answer.arrayBuffer()).byteLength;
      if (!answer.ok) throw new Error(`the page is answered by ${answer.status}`);
      times.push(performance.now() - atMs);
    }
    const without = await cpuOf(dashboard, signal);
    const live = new URL('live', dashboard.url).href;
    const readers = spawn(process.execPath, ['--input-type=module', '-e', reader, live, String(viewers)], {
      stdio: 'ignore',
    });
    try {
      await sleep(2_000, undefined, { signal });
      const watched = await cpuOf(dashboard, signal);
      return [
        {
          what: 'first page of 1,000 apps, 100 moving',
          unit: 'ms',
          spread: spreadOf(times.slice(5)),
          goal: { kind: 'below', value: 150 },
        },
        { what: 'its size', unit: 'kB', spread: spreadOf([bytes / 1_000]), goal: { kind: 'below', value: 100 } },
        {
          what: `CPU of ${viewers} viewers, of one core`,
          unit: '%',
          spread: spreadOf([Math.max(0, watched - without)]),
          goal: { kind: 'below', value: 1 },
        },
      ];
    } finally {
      readers.kill();
    }
  } finally {
    await dashboard.close();
  }
}

/** Percent of a core while those that move are looked at. */
async function cpuOf(dashboard: DashboardUnderTest, signal: AbortSignal): Promise<number> {
  const before = process.cpuUsage();
  const beganMs = performance.now();
  for (let index = 0; performance.now() - beganMs < watchedMs; index += 1) {
    dashboard.change(index % moving);
    await sleep(lookMs / moving, undefined, { signal });
  }
  const { user, system } = process.cpuUsage(before);
  return ((user + system) / 1_000 / (performance.now() - beganMs)) * 100;
}

const reader = `
import { get } from 'node:http';
const [url, count] = process.argv.slice(-2);
for (let index = 0; index < Number(count); index += 1) get(url, (answer) => answer.resume());
`;
