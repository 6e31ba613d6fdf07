import type { DemoImage, Program, Surroundings } from './image.ts';

/** Images that only run: the pause container, and the few commands that people give to busybox. */
export const pause: DemoImage = { has: () => true, start: () => ({ kind: 'idle' }) };

export const busybox: DemoImage = { has: () => true, start: startBusybox };

function startBusybox({ args, log, runsToEnd }: Surroundings): Program {
  const shell = /(^|\/)(sh|ash|bash)$/.test(args[0] ?? '') && args[1] === '-c';
  const script = shell ? (args[2] ?? '') : args.join(' ');
  // Without a terminal a shell reads the end of its input and leaves.
  if (args.length === 0 || (args.length === 1 && /(^|\/)(sh|ash|bash)$/.test(args[0] ?? ''))) return exit(0);
  let sleptMs = 0;
  for (const step of script.split(/&&|;|\n/).map((part) => part.trim())) {
    const [command = '', ...rest] = step.split(/\s+/);
    if (command === 'echo') log(rest.join(' ').replace(/^(["'])(.*)\1$/, '$2'));
    else if (command === 'sleep' && Number.isFinite(Number(rest[0]))) sleptMs += Number(rest[0]) * 1_000;
    else if (command === 'exit') return exit(Number(rest[0] ?? '0'), sleptMs);
    else if (command === 'false' || command === '/bin/false') return exit(1, sleptMs);
    else if (command !== 'true' && command !== '/bin/true' && command !== '')
      // What it would do is not known: a Job is to come to its end all the same.
      return runsToEnd ? exit(0, sleptMs) : { kind: 'idle' };
  }
  return exit(0, sleptMs);
}

function exit(code: number, afterMs = 0): Program {
  return { kind: 'exit', code, afterMs };
}
