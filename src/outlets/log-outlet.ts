import { shownKey } from '../lib/key.ts';
import type { Logger } from '../lib/log.ts';
import type { Outlet } from './outlet.ts';

/** The agent's own log. */
export function createLogOutlet(log: Logger): Outlet {
  return {
    name: 'log',
    tell(happening) {
      const canary = shownKey(happening.app);
      if (happening.kind === 'said') {
        const { type, level, message } = happening.event;
        // Flagger logs most warnings as info.
        log[type === 'Warning' && level === 'info' ? 'warn' : level]({ canary }, message);
      } else if (happening.kind === 'alerted')
        log.debug({ canary, severity: happening.severity }, `alert: ${happening.message}`);
    },
  };
}
