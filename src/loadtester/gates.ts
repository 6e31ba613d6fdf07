import type { Reply } from './program.ts';

/** Gates by key: open or, when nobody has said anything, closed. In memory, like those of the original. */
export interface Gates {
  /** Undefined: the path is none of theirs. */
  readonly answer: (path: string, canary: string) => Reply | undefined;
}

/** Whoever calls could open gates of any name. */
const maxOpen = 10_000;

export function createGates(log: (line: string) => void): Gates {
  const open = new Set<string>();
  return {
    answer(path, canary) {
      const [, kind, verb] = /^\/(gate|rollback)\/(check|open|close)$/.exec(path) ?? [];
      if (kind === undefined || verb === undefined) return undefined;
      const key = kind === 'gate' ? canary : `rollback.${canary}`;
      if (verb === 'check') {
        log(`${key} ${kind} check: approved ${open.has(key)}`);
        return open.has(key) ? { status: 200, body: 'Approved' } : { status: 403, body: 'Forbidden' };
      }
      if (verb === 'open' && !open.has(key) && open.size >= maxOpen)
        return { status: 429, body: `${maxOpen} gates are open already` };
      if (verb === 'open') open.add(key);
      else open.delete(key);
      log(`${key} ${kind} ${verb === 'open' ? 'opened' : 'closed'}`);
      return { status: 202, body: '' };
    },
  };
}
