import { createServer, request, type Server } from 'node:http';
import { describe, expect, it } from 'vitest';
import { appFiles, appPath, hostOf, toTag } from './apps.ts';
import { canary, record, weights } from './look.ts';
import { adopted, outcome, outcomes } from './outcomes.ts';
import { expectSound } from './soundness.ts';
import { onStage, onceMore } from './stage.ts';

const refusal = {
  kind: 'Status',
  apiVersion: 'v1',
  status: 'Failure',
  reason: 'Forbidden',
  message: 'secrets is forbidden: User "system:serviceaccount:serin:serin" cannot list resource "secrets"',
  code: 403,
};

/** An API server that refuses the agent the Secrets of its own namespace, as one does that has only the roles of a former version. */
async function startFront(
  apiUrl: string,
  rights: { isMissing: boolean },
): Promise<{ url: string; close(): Promise<void> }> {
  const server: Server = createServer((incoming, answer) => {
    const { method, url = '', headers } = incoming;
    if (rights.isMissing && url.startsWith('/api/v1/namespaces/serin/secrets')) {
      incoming.resume();
      answer.writeHead(403, { 'content-type': 'application/json' }).end(JSON.stringify(refusal));
      return;
    }
    const onward = request(new URL(url, apiUrl), { method, headers }, (found) => {
      answer.writeHead(found.statusCode ?? 502, found.headers);
      found.pipe(answer);
    });
    onward.on('error', () => answer.destroy());
    answer.on('close', () => onward.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

describe('an agent that is upgraded amid a release without the role that it needs', onceMore, () => {
  it('leads users home from what fails, says what is missing, and tells Git when it has the role', async () => {
    const rights = { isMissing: false };
    const front = (apiUrl: string): ReturnType<typeof startFront> => startFront(apiUrl, rights);
    await onStage({ files: appFiles({ threshold: 2 }), hosts: [hostOf()], front }, async (stage) => {
      await adopted(stage);
      const before = await stage.file(appPath());
      await stage.edit('podinfo 3.1.2', appPath(), toTag('3.1.2'));
      await stage.until('users on the new version', () => (weights(stage)[1] ?? 0) > 0);
      const began = record(stage)?.id;
      await stage.agent.stop();
      expect(weights(stage)[1]).toBeGreaterThan(0);
      expect(record(stage)?.outcome).toBeUndefined();

      rights.isMissing = true;
      await stage.start();
      await stage.until('users at home', () => weights(stage)[0] === 100);
      await stage.said(/^the records of releases .* cannot be read: .*secrets is forbidden/);
      const said = stage.happened.filter(({ message }) =>
        message.startsWith('The release of podinfo.test is judged, but can neither'),
      );
      expect(said).toHaveLength(1);
      // It stays so, however often the release is to be ended.
      await stage.restsFor(30_000);
      expect(weights(stage)[0]).toBe(100);
      expect(await outcomes(stage)).toEqual([]);
      expect(canary(stage).phase).toBe('Progressing');

      rights.isMissing = false;
      const { trailers } = await outcome(stage, 1);
      expect(trailers).toMatchObject({ Verdict: 'rolled-back', 'Release-Id': began });
      expect(await stage.file(appPath())).toBe(before);
      await stage.until('the end', () => canary(stage).phase === 'Failed');
      await expectSound(stage);
    });
  });
});
