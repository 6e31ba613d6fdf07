import { createServer } from 'node:http';
import { expect, it } from 'vitest';
import { listen } from '../../src/server/listen.ts';

it('a connection that cannot be taken does not end the agent', async () => {
  const server = createServer((_request, response) => response.end('here'));
  const running = await listen(server, { port: 0, host: '127.0.0.1', setting: '--port' });
  try {
    for (let times = 0; times < 2; times += 1) server.emit('error', new Error('accept EMFILE'));
    expect(await (await fetch(`http://127.0.0.1:${running.port}`)).text()).toBe('here');
  } finally {
    await running.close();
  }
});
