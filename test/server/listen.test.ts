import { createServer } from 'node:http';
import { expect, it } from 'vitest';
import { createLogger } from '../../src/lib/log.ts';
import { listen } from '../../src/server/listen.ts';

it('a connection that cannot be taken is told, and does not end the agent', async () => {
  const lines: string[] = [];
  const log = createLogger('info', (line) => lines.push(line));
  const server = createServer((_request, response) => response.end('here'));
  const running = await listen(server, { port: 0, host: '127.0.0.1', setting: '--port', log });
  try {
    for (let times = 0; times < 2; times += 1) server.emit('error', new Error('accept EMFILE'));
    expect(lines.map((line) => (JSON.parse(line) as { reason: string }).reason)).toEqual([
      'accept EMFILE',
      'accept EMFILE',
    ]);
    expect(await (await fetch(`http://127.0.0.1:${running.port}`)).text()).toBe('here');
  } finally {
    await running.close();
  }
});
