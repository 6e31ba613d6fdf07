import type { OutletDeps } from './outlet.ts';

const againMs = 600_000;
const rememberLimit = 1_000;

/** Counts messages that were given up, and says now and then whose they were: without the path, which may be a secret. */
export function createDropReport({ clock, log, telemetry }: Pick<OutletDeps, 'clock' | 'log' | 'telemetry'>) {
  const toldAtMs = new Map<string, number>();
  return (receiver: string): void => {
    telemetry.eventsDropped.inc();
    const before = toldAtMs.get(receiver);
    if (before !== undefined && clock.now() - before < againMs) return;
    if (toldAtMs.size >= rememberLimit) toldAtMs.clear();
    toldAtMs.set(receiver, clock.now());
    const shown = receiver.replace(/https?:\S+/g, (url) => (URL.canParse(url) ? new URL(url).host : '...'));
    log.warn({ receiver: shown }, 'a receiver is too slow: its oldest messages are dropped');
  };
}
