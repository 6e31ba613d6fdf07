import { fastClock } from '../../lib/fast-clock.ts';
import { systemClock } from '../../lib/clock.ts';
import { serve } from '../context.ts';
import { runAgent } from '../commands/run.ts';
import type { AgentOrder } from './agent-child.ts';

/** The agent of `serin sandbox`, in a process of its own: `serin run` on the sandbox's clock, which ends when the sandbox does. */
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort(new Error('SIGTERM')));
// A terminal sends it to all of its processes; the sandbox decides.
process.on('SIGINT', () => undefined);
process.once('disconnect', () => {
  stop.abort(new Error('the sandbox has ended'));
  // Where the sandbox was killed, nothing that the agent still waits for will come.
  setTimeout(() => process.exit(1), 3_000).unref();
});
// It may have ended while this was loaded, and nobody says so again.
if (!process.connected) process.exit(1);

const { settings, speed, startMs } = JSON.parse(process.argv[2] ?? '') as AgentOrder;
process.exitCode = await serve(
  { argv: [], environment: process.env, stdout: process.stdout, stderr: process.stderr, signal: stop.signal },
  (context) =>
    runAgent(context, settings, undefined, {
      clock: speed === 1 ? systemClock : fastClock(speed, startMs),
      onListening: (port) => void process.send?.(port),
    }),
);
process.disconnect?.();
setTimeout(() => process.exit(), 2_000).unref();
