import type { Measured } from './spread.ts';
export const idleCanaries = (_signal: AbortSignal): Promise<readonly Measured[]> => Promise.resolve([]);
