import { systemClock, type Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { RunningServer } from '../server/listen.ts';
import { createFleetModel } from './model/model.ts';
import { UiError } from './told.ts';
import type { AgentDoor } from './questions.ts';
import { serveUi } from './serve.ts';
import type { UiSettings } from './settings.ts';
import type { FromThread, Port, ToThread } from './wire.ts';

/** How long a question may take. */
const patienceMs = 10_000;
/** More questions do not wait for the agent at a time. */
const mostOpen = 200;

/** What `thread.ts` runs: a server with what it knows, at the end of a channel to the agent. */
export function runThread(port: Port<FromThread, ToThread>, settings: UiSettings, clock: Clock = systemClock): void {
  const model = createFleetModel();
  const { door, answered } = doorThrough(port, clock);
  const log = logThrough(port);
  let server: RunningServer | undefined;
  port.on('message', (message) => {
    switch (message.kind) {
      case 'changes':
        for (const change of message.changes) {
          try {
            model.take(change);
          } catch (error) {
            // One app's fault is that app's.
            log.error({ change: change.kind, reason: messageOf(error) }, 'the dashboard cannot take a change');
          }
        }
        port.postMessage({ kind: 'taken', number: message.number });
        return;
      case 'answer':
      case 'no-answer':
        answered(message);
        return;
      case 'close':
        void (server?.close() ?? Promise.resolve()).then(() => port.postMessage({ kind: 'closed' }));
        return;
    }
  });
  serveUi({ settings, model, door, clock, log }).then(
    (running) => {
      server = running;
      port.postMessage({ kind: 'listening', port: running.port });
    },
    (error: unknown) => port.postMessage({ kind: 'failed', message: messageOf(error) }),
  );
}

function doorThrough(port: Port<FromThread, ToThread>, clock: Clock) {
  const open = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  let last = 0;
  const ask = (name: keyof AgentDoor, args: readonly unknown[]): Promise<unknown> => {
    if (open.size >= mostOpen) return Promise.reject(new UiError(503, 'The agent has too much to answer just now.'));
    last += 1;
    const id = last;
    return new Promise((resolve, reject) => {
      const forget = clock.after(patienceMs, () => {
        open.delete(id);
        reject(new UiError(503, 'The agent does not answer in time. Its releases go on; try again in a moment.'));
      });
      open.set(id, {
        resolve: (value) => {
          forget();
          resolve(value);
        },
        reject: (error) => {
          forget();
          reject(error);
        },
      });
      port.postMessage({ kind: 'question', id, name, args });
    });
  };
  const through = <Name extends keyof AgentDoor>(name: Name): AgentDoor[Name] =>
    ((...args: readonly unknown[]) => ask(name, args)) as AgentDoor[Name];
  const door: AgentDoor = {
    pods: through('pods'),
    podLog: through('podLog'),
    textInGit: through('textInGit'),
    history: through('history'),
    changedBy: through('changedBy'),
    images: through('images'),
    planned: through('planned'),
    perform: through('perform'),
    reviewToken: through('reviewToken'),
    reviewAccess: through('reviewAccess'),
  };
  const answered = (message: Extract<ToThread, { id: number }>): void => {
    const question = open.get(message.id);
    open.delete(message.id);
    if (message.kind === 'answer') question?.resolve(message.value);
    else question?.reject(new UiError(message.status, message.message));
  };
  return { door, answered };
}

/** Lines of the thread go out with the agent's own. */
function logThrough(port: Port<FromThread, ToThread>): Logger {
  const of = (bound: Readonly<Record<string, unknown>>): Logger => {
    const line =
      (level: 'info' | 'warn' | 'error') =>
      (fields: Readonly<Record<string, unknown>>, text: string): void =>
        port.postMessage({ kind: 'log', level, fields: { ...bound, ...fields }, text });
    return {
      debug: () => undefined,
      info: line('info'),
      warn: line('warn'),
      error: line('error'),
      child: (fields) => of({ ...bound, ...fields }),
    };
  };
  return of({});
}
