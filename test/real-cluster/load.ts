import { lookup } from 'node:dns/promises';
import { Agent, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

/** One request and what became of it. */
export interface Answer {
  readonly atMs: number;
  readonly tookMs: number;
  /** `X-Version` of the answer; empty where there was none. */
  readonly version: string;
  /** `200`, or a code such as `ECONNRESET` where nobody answered. */
  readonly status: string;
  /** What it is to carry from now on, e.g. `name=value; Max-Age=60`. Absent: nothing. */
  readonly cookies?: readonly string[];
}

export interface Door {
  readonly address: string;
  readonly port: number;
  readonly host: string;
}

/** Asked once: a name that cannot be looked up would count as a lost request. */
export async function doorOf(url: string, host: string): Promise<Door> {
  const { hostname, port } = new URL(url);
  return { address: (await lookup(hostname)).address, port: Number(port || 80), host };
}

type Headers = Readonly<Record<string, string>>;

/** `agent` undefined: a connection of its own. */
function ask({ address, port, host }: Door, headers: Headers, agent: Agent | undefined): Promise<Answer> {
  const atMs = Date.now();
  return new Promise((resolve) => {
    const fail = (code: string): void => resolve({ atMs, tookMs: Date.now() - atMs, version: '', status: code });
    const asked = request(
      { host: address, port, path: '/', headers: { ...headers, host }, agent: agent ?? false, timeout: 20_000 },
      (answer) => {
        answer.resume();
        answer.once('error', () => fail('CUT-OFF'));
        answer.once('end', () =>
          resolve({
            atMs,
            tookMs: Date.now() - atMs,
            version: String(answer.headers['x-version'] ?? ''),
            status: String(answer.statusCode),
            ...(answer.headers['set-cookie'] ? { cookies: answer.headers['set-cookie'] } : {}),
          }),
        );
      },
    );
    asked.once('timeout', () => asked.destroy(Object.assign(new Error('late'), { code: 'TIMEOUT' })));
    asked.once('error', (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
    asked.end();
  });
}

/** So many requests, sixteen at a time. */
export async function burst(door: Door, count: number, headers: Headers = {}): Promise<readonly Answer[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  const answers: Answer[] = [];
  let left = count;
  const work = async (): Promise<void> => {
    for (; left > 0; ) {
      left -= 1;
      answers.push(await ask(door, headers, agent));
    }
  };
  await Promise.all(Array.from({ length: 16 }, work));
  agent.destroy();
  return answers;
}

export interface Load {
  readonly answers: readonly Answer[];
  stop(): Promise<void>;
}

/**
 * Users: all the time, some on connections that they keep, some on a new one for each request. Every request counts, and none is tried
 * again. Without a proxy between nobody `keeps`: a pod that ends closes its connections, and a request may be on its way.
 */
export function startLoad(door: Door, users: readonly Headers[] = [{}], keeps = true): Load {
  const answers: Answer[] = [];
  const kept = new Agent({ keepAlive: true, maxSockets: 8 });
  let isOver = false;
  const work = async (headers: Headers, agent: Agent | undefined, everyMs: number): Promise<void> => {
    while (!isOver) {
      answers.push(await ask(door, headers, agent));
      await pause(everyMs);
    }
  };
  const workers = users.flatMap((headers) => [
    ...(keeps ? [work(headers, kept, 40), work(headers, kept, 40)] : []),
    work(headers, undefined, 80),
  ]);
  return {
    answers,
    async stop() {
      isOver = true;
      await Promise.all(workers);
      kept.destroy();
    },
  };
}

export const failedOf = (answers: readonly Answer[]): readonly Answer[] =>
  answers.filter(({ status }) => status !== '200');
export const between = (answers: readonly Answer[], fromMs: number, toMs: number): readonly Answer[] =>
  answers.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs);
/** In percent. */
export const shareOf = (answers: readonly Answer[], wanted: string): number =>
  (100 * answers.filter(({ version }) => version === wanted).length) / answers.length;
