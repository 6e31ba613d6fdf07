import { writeFile } from 'node:fs/promises';
import { createServer, request as ask, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { removeDir, tempDir } from '../helpers/temp-repo.ts';
import { appFiles, appPath, hostOf, namespaceYaml, toTag } from './apps.ts';
import { adopted, outcome } from './outcomes.ts';
import { expectSound } from './soundness.ts';
import { onStage, patient, type Stage } from './stage.ts';

/** An API server for whom a Role is all: whatever is not in its namespace is forbidden, discovery apart. */
async function startGuard(namespace: string, apiUrl: () => string, refused: string[]): Promise<Server> {
  const isAllowed = (path: string): boolean =>
    path.includes(`/namespaces/${namespace}/`) || /^\/(version|api|apis|api\/v1|apis\/[^/]+(\/[^/]+)?)\/?$/.test(path);
  const server = createServer((incoming, outgoing) => {
    const { method = 'GET', url = '/', headers } = incoming;
    const path = url.replace(/\?.*$/, '');
    if (!isAllowed(path)) {
      refused.push(`${method} ${path}`);
      const status = { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'Forbidden', code: 403 };
      const message = `${path} is forbidden: User "serin" cannot do that`;
      outgoing.writeHead(403, { 'content-type': 'application/json' }).end(JSON.stringify({ ...status, message }));
      return;
    }
    const passed = ask(new URL(url, apiUrl()), { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    });
    passed.on('error', () => outgoing.destroy());
    outgoing.on('close', () => passed.destroy());
    incoming.pipe(passed);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

/** What the owner of the cluster makes: the namespace, and the Gateway in it. */
async function prepareNamespace({ sandbox }: Stage): Promise<void> {
  for (const document of parseAllDocuments(namespaceYaml())) {
    const object = document.toJS() as { kind: string; metadata: { name: string } };
    const path =
      object.kind === 'Namespace'
        ? '/api/v1/namespaces'
        : '/apis/gateway.networking.k8s.io/v1/namespaces/test/gateways';
    const body = JSON.stringify(object);
    const answer = await fetch(`${sandbox.apiUrl}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    expect(answer.status).toBe(201);
  }
}

describe('an agent of one namespace', patient, () => {
  it('promotes and rolls back without asking for anything outside of it [R86]', async () => {
    const folder = await tempDir();
    const kubeconfig = join(folder, 'kubeconfig');
    const refused: string[] = [];
    const { 'apps/namespaces/test.yaml': _made, ...files } = appFiles();
    const flags = { namespace: 'test', 'agent-namespace': 'test', 'default-namespace': 'test', kubeconfig };
    let guard: Server | undefined;
    try {
      await onStage({ files, hosts: [hostOf()], flags, started: false }, async (stage) => {
        await prepareNamespace(stage);
        guard = await startGuard('test', () => stage.sandbox.apiUrl, refused);
        const { port } = guard.address() as AddressInfo;
        await writeFile(
          kubeconfig,
          stage.sandbox.kubeconfig.replaceAll(stage.sandbox.apiUrl, `http://127.0.0.1:${port}`),
        );
        await stage.start();
        await adopted(stage);
        await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
        expect((await outcome(stage, 1)).subject).toBe('promote test/podinfo 3.1.1');
        await stage.edit('podinfo 3.1.2', appPath(), toTag('3.1.2'));
        expect((await outcome(stage, 2)).subject).toMatch(/^rollback test\/podinfo 3\.1\.2/);
        expect(refused).toEqual([]);
        await expectSound(stage);
        await stage.agent.stop();
      });
    } finally {
      guard?.closeAllConnections();
      guard?.close();
      await removeDir(folder);
    }
  });
});
