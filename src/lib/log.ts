import { writeSync } from 'node:fs';
import { pino } from 'pino';
import { plainJsonLine } from './plain-text.ts';

/** JSON lines. `msg` is the text that users search for; everything else goes into fields. */
export interface Logger {
  debug(fields: Readonly<Record<string, unknown>>, msg: string): void;
  info(fields: Readonly<Record<string, unknown>>, msg: string): void;
  warn(fields: Readonly<Record<string, unknown>>, msg: string): void;
  error(fields: Readonly<Record<string, unknown>>, msg: string): void;
  child(fields: Readonly<Record<string, unknown>>): Logger;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** Where lines go: a function for tests and the demo, standard error otherwise. */
export function createLogger(level: LogLevel, write?: (line: string) => void): Logger {
  const options = {
    level,
    base: null,
    timestamp: () => `,"ts":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const out = write ?? toStandardError();
  return pino(options, { write: (line: string) => out(plainJsonLine(line)) });
}

/** So long may lines wait for others to go out together with them: a write for each costs more than all else about it. */
const gatherMs = 50;

/** A reader that is slow is waited for, but not for ever. */
const patienceMs = 1_000;
const gatheredBytes = 8_192;
const heldBytes = 1_048_576;

/** None is left behind when the process exits; where nobody reads any more, lines are given up and nothing waits for them. */
function toStandardError(): (line: string) => void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  let lines: string[] = [];
  let length = 0;
  let rest = Buffer.alloc(0);
  let isDue = false;
  const flush = (untilMs: number): void => {
    rest = Buffer.concat([rest, Buffer.from(lines.join(''))]);
    lines = [];
    length = 0;
    while (rest.length > 0) {
      try {
        rest = rest.subarray(writeSync(2, rest));
      } catch (error) {
        const isFull = (error as NodeJS.ErrnoException).code === 'EAGAIN';
        if (!isFull || (Date.now() >= untilMs && rest.length > heldBytes)) rest = Buffer.alloc(0);
        if (!isFull || Date.now() >= untilMs) return;
        Atomics.wait(pause, 0, 0, 10);
      }
    }
  };
  process.on('exit', () => flush(Date.now() + patienceMs));
  return (line) => {
    lines.push(line);
    length += line.length;
    if (length >= gatheredBytes) return flush(Date.now() + patienceMs);
    if (isDue) return;
    isDue = true;
    setTimeout(() => {
      isDue = false;
      flush(0);
    }, gatherMs).unref();
  };
}

export const silentLogger: Logger = createLogger('silent', () => undefined);
