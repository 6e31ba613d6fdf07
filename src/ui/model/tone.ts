import type { AppStatus } from '../../report/types.ts';

/** What a colour, a shape and a word say together. `waits`: somebody or something is waited for. */
export type Tone = 'ok' | 'moving' | 'waits' | 'failed' | 'idle';

export function toneOf({ group, phase, failed }: AppStatus): Tone {
  switch (group) {
    case 'needs-person':
      return failed || phase === 'Failed' ? 'failed' : 'waits';
    case 'failed':
      return 'failed';
    case 'held':
      return 'waits';
    case 'moving':
      return 'moving';
    case 'resting':
      return phase === 'Succeeded' || phase === 'Initialized' ? 'ok' : phase === 'Failed' ? 'failed' : 'idle';
  }
}

/** Flagger's phase in one or two words of people. */
export function wordOf({ group, phase, held, waits }: AppStatus): string {
  if (held) return 'Held';
  switch (phase) {
    case '':
      return 'New';
    case 'Initialized':
      return 'Ready';
    case 'Succeeded':
      return 'Promoted';
    case 'Failed':
      return 'Rolled back';
    case 'Waiting':
    case 'WaitingPromotion':
      return 'Waits';
    default:
      return group === 'needs-person' && waits ? 'Waits' : phase;
  }
}
