import { describe, expect, it } from 'vitest';
import { startServer } from '../helpers/http-server.ts';
import { appFiles, appPath, hostOf, toTag } from './apps.ts';
import { canary, weights } from './look.ts';
import { adopted, outcome } from './outcomes.ts';
import { expectSound } from './soundness.ts';
import { onStage, patient } from './stage.ts';

describe('a canary whose Prometheus is away', patient, () => {
  it('holds where it is, and goes on when it is back', async () => {
    let prometheus = '';
    let away = false;
    const front = await startServer((request, response, body) => {
      if (away) return void response.writeHead(502).end('bad gateway');
      const init = request.method === 'POST' ? { method: 'POST', body, headers: headersOf(request.headers) } : {};
      fetch(`${prometheus}${request.url ?? ''}`, init).then(
        async (answer) => response.writeHead(answer.status).end(await answer.text()),
        () => response.writeHead(500).end(),
      );
    });
    const options = {
      files: appFiles({ steps: '[20, 30, 40]', threshold: 3 }),
      hosts: [hostOf()],
      flags: { 'metrics-server': front.url },
      started: false,
    };
    try {
      await onStage(options, async (stage) => {
        prometheus = stage.sandbox.prometheusUrl;
        await stage.start();
        await adopted(stage);
        await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
        await stage.until('the second step', () => canary(stage).weight === 30);
        away = true;
        // Longer than the threshold would last if silence were taken for failure.
        await stage.restsFor(60_000);
        expect(canary(stage)).toMatchObject({ phase: 'Progressing', weight: 30 });
        expect(weights(stage)).toEqual([70, 30]);
        away = false;
        expect((await outcome(stage, 1)).subject).toBe('promote test/podinfo 3.1.1');
        await expectSound(stage);
      });
    } finally {
      await front.close();
    }
  });
});

const headersOf = (headers: { 'content-type'?: string | undefined }): Record<string, string> =>
  headers['content-type'] === undefined ? {} : { 'content-type': headers['content-type'] };
