import { Agent, request } from 'node:http';
import { type Answer, type Client, NoAnswer } from '../../../loadtester/client.ts';
import type { Address } from '../../types.ts';

/** HTTP inside the cluster: names lead where the cluster's own names lead, and nowhere else. */
export function createClusterClient(lookUp: (host: string, port: number) => Address | undefined): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  return {
    close: () => agent.destroy(),
    send: ({ method, url, headers, body, timeoutMs }, signal) => {
      if (url.protocol !== 'http:') throw new NoAnswer(1, `Protocol "${url.protocol.slice(0, -1)}" not supported`);
      const port = Number(url.port || '80');
      const address = lookUp(url.hostname, port);
      if (!address) throw new NoAnswer(6, `Could not resolve host: ${url.hostname} (no ready pod behind port ${port})`);
      const own = { host: url.host, 'user-agent': 'flagger-loadtester', ...headers };
      return new Promise<Answer>((resolve, reject) => {
        const path = `${url.pathname}${url.search}`;
        const timeout = AbortSignal.timeout(timeoutMs);
        const sending = request(
          { ...address, method, path, agent, headers: own, signal: AbortSignal.any([signal, timeout]) },
          (response) => {
            const chunks: Buffer[] = [];
            response.on('data', (chunk: Buffer) => chunks.push(chunk));
            response.once('error', (error) => reject(new NoAnswer(56, error.message)));
            response.once('end', () =>
              resolve({
                status: response.statusCode ?? 0,
                headers: response.headers,
                body: Buffer.concat(chunks).toString('utf8'),
              }),
            );
          },
        );
        sending.once('error', (error) =>
          reject(
            timeout.aborted
              ? new NoAnswer(28, `Operation timed out after ${timeoutMs} milliseconds`)
              : new NoAnswer(7, `Failed to connect to ${url.hostname} port ${port}: ${error.message}`),
          ),
        );
        sending.end(body);
      });
    },
  };
}
