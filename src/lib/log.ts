import { pino } from 'pino';

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
  return pino(options, { write: write ?? toStandardError() });
}

/** So long may lines wait for others to go out together with them: a write for each costs more than all else about it. */
const gatherMs = 50;

/** None is left behind when the process exits. */
function toStandardError(): (line: string) => void {
  const out = pino.destination({ dest: 2, sync: true, minLength: 8_192 });
  let isDue = false;
  const flush = (): void => {
    isDue = false;
    out.flush();
  };
  process.on('exit', () => out.flushSync());
  return (line) => {
    out.write(line);
    if (isDue) return;
    isDue = true;
    setTimeout(flush, gatherMs).unref();
  };
}

export const silentLogger: Logger = createLogger('silent', () => undefined);
