import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { appFiles, appPath, hostOf, toTag } from './apps.ts';
import { canary, weights } from './look.ts';
import { adopted, outcome } from './outcomes.ts';
import { expectSound } from './soundness.ts';
import { onStage, patient } from './stage.ts';

/** Between the agent and Prometheus: lets questions through, or fails in one of the ways in which servers do. */
interface Front {
  readonly url: string;
  target: string;
  fails: 'not' | 'bad gateway' | 'internal error' | 'hangs';
  /** Nobody listens any more. */
  refuse(): Promise<void>;
  listen(): Promise<void>;
}

async function startFront(): Promise<Front> {
  let server: Server | undefined;
  let port = 0;
  const front: Front = {
    get url() {
      return `http://127.0.0.1:${port}`;
    },
    target: '',
    fails: 'not',
    async refuse() {
      const closing = server;
      server = undefined;
      closing?.closeAllConnections();
      await new Promise((resolve) => (closing ? closing.close(resolve) : resolve(undefined)));
    },
    async listen() {
      const listening = createServer((request, response) => void pass(front, request, response));
      await new Promise<void>((resolve) => listening.listen(port, '127.0.0.1', resolve));
      port = (listening.address() as AddressInfo).port;
      server = listening;
    },
  };
  await front.listen();
  return front;
}

async function pass({ fails, target }: Front, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (fails === 'hangs') return;
  if (fails === 'bad gateway') return void response.writeHead(502).end('bad gateway');
  if (fails === 'internal error') return void response.writeHead(500).end('{"status":"error","error":"stub"}');
  const answer = await fetch(`${target}${request.url ?? ''}`);
  response.writeHead(answer.status).end(await answer.text());
}

const quickly = { steps: '[20, 30, 40, 50]', threshold: 2, progressDeadlineSeconds: 600 };

describe('a canary whose Prometheus is away', patient, () => {
  it('holds where it is in whatever way it fails, and goes on when it is back', async () => {
    const front = await startFront();
    const options = {
      files: appFiles(quickly),
      hosts: [hostOf()],
      flags: { 'metrics-server': front.url },
      started: false,
    };
    try {
      await onStage(options, async (stage) => {
        front.target = stage.sandbox.prometheusUrl;
        await stage.start();
        await adopted(stage);
        await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
        const held = async (share: number, restMs: number): Promise<void> => {
          // Longer than the threshold would last if silence were taken for failure.
          await stage.restsFor(restMs);
          expect(canary(stage)).toMatchObject({ phase: 'Progressing', weight: share });
          expect(weights(stage)).toEqual([100 - share, share]);
        };
        const reaches = (share: number): Promise<unknown> =>
          stage.until(`the step to ${share}`, () => canary(stage).weight >= share);
        const { failedChecks: before } = canary(stage);

        await reaches(20);
        front.fails = 'bad gateway';
        await held(20, 30_000);
        front.fails = 'internal error';
        await held(20, 30_000);
        await front.refuse();
        await held(20, 30_000);
        await front.listen();
        front.fails = 'not';
        await reaches(30);
        front.fails = 'hangs';
        // It takes a real five seconds, whatever the clock says.
        await stage.until('the one that hangs to be told of', () =>
          stage.happened.some(({ message }) => message.includes('no complete answer within 5 s')),
        );
        await held(30, 30_000);
        front.fails = 'not';
        expect(canary(stage).failedChecks).toBe(before);
        const texts = stage.happened.map(({ message }) => message);
        for (const reason of ['Status 502', 'Status 500', 'request failed: 127.0.0.1', 'no complete answer within 5 s'])
          expect(
            texts.some((text) => text.startsWith('Prometheus query failed') && new RegExp(reason).test(text)),
            reason,
          ).toBe(true);
        expect(texts.some((text) => text.startsWith('Hold podinfo.test until metrics are known again'))).toBe(true);
        expect((await outcome(stage, 1)).subject).toBe('promote test/podinfo 3.1.1');
        await expectSound(stage);
      });
    } finally {
      await front.refuse();
    }
  });
});
