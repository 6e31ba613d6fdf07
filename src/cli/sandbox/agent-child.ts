import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { AgentError } from '../../lib/errors.ts';

/** What the agent's process is told: its only argument, as JSON. */
export interface AgentOrder {
  /** By the names of the flags of `serin run`. */
  readonly settings: Readonly<Record<string, string>>;
  readonly speed: number;
  /** When its clock agreed with the wall's, milliseconds since the epoch. */
  readonly startMs: number;
}

export interface AgentChild {
  /** Of the process that runs now. */
  pid(): number;
  /** Port of /metrics, /healthz and /readyz. */
  port(): number;
  stop(): Promise<void>;
}

export interface AgentWitness {
  /** Told each line of the agent's log. */
  readonly onLine: (line: string) => void;
  /** Told how an agent ended that is started again now. */
  readonly onEnd: (how: string) => void;
}

const entry = fileURLToPath(new URL('./agent-main.js', import.meta.url));
const againMs = 1_000;
const stopPatienceMs = 10_000;

/**
 * Starts the agent and waits until it listens. One that ends later is started again, as in a Deployment. Throws
 * CONFIG_INVALID with what it said when it ends before.
 */
export async function startAgentChild(order: AgentOrder, { onLine, onEnd }: AgentWitness): Promise<AgentChild> {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let running = begin(order, onLine);
  let port = await running.listening;
  const watch = (): void => {
    void running.ended.then((how) => {
      if (stopped) return;
      onEnd(how);
      timer = setTimeout(() => {
        running = begin({ ...order, settings: { ...order.settings, port: String(port) } }, onLine);
        running.listening.then(
          (next) => (port = next),
          () => undefined,
        );
        watch();
      }, againMs);
    });
  };
  watch();
  return {
    pid: () => running.child.pid ?? 0,
    port: () => port,
    async stop() {
      stopped = true;
      clearTimeout(timer);
      const { child } = running;
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      const force = setTimeout(() => child.kill('SIGKILL'), stopPatienceMs);
      await ended;
      clearTimeout(force);
    },
  };
}

function begin(order: AgentOrder, onLine: AgentWitness['onLine']) {
  const child = fork(entry, [JSON.stringify(order)], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], execArgv: [] });
  let rest = '';
  const said: string[] = [];
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    const lines = `${rest}${text}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      onLine(line);
      if (line.startsWith('serin: ')) said.push(line.slice('serin: '.length));
    }
  });
  const ended = new Promise<string>((resolve) =>
    child.once('close', (code, signal) => resolve(signal === null ? `exit code ${code ?? 0}` : signal)),
  );
  const listening = new Promise<number>((resolve, reject) => {
    child.once('message', (port) => resolve(Number(port)));
    child.once('error', reject);
    void ended.then((how) => {
      const why = said.length > 0 ? said.join('\n') : `the agent has ended at once: ${how}`;
      reject(new AgentError('CONFIG_INVALID', why));
    });
  });
  return { child, listening, ended };
}
