#!/usr/bin/env node
import { runCommandLine } from './cli/command-line.ts';

const stop = new AbortController();
let signals = 0;
const onSignal = (name: NodeJS.Signals): void => {
  signals += 1;
  // Asked twice, a person means it.
  if (signals > 1) process.exit(130);
  stop.abort(new Error(name));
};
process.on('SIGTERM', onSignal);
process.on('SIGINT', onSignal);
// Whoever reads the output may have read enough (`| head`): the rest of it goes nowhere.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });

process.exitCode = await runCommandLine({
  argv: process.argv.slice(2),
  environment: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  signal: stop.signal,
});
// Sockets that somebody else holds open must not keep a stopped agent alive.
setTimeout(() => process.exit(), 2_000).unref();
