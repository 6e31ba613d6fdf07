import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { commitWithGit } from '../sandbox/git-command.ts';
import { startGitServer } from '../sandbox/git-server.ts';
import { installCrds, startSandbox } from '../sandbox/sandbox.ts';
import type { SandboxStore } from '../sandbox/types.ts';
import { type AgentProcess, startAgentProcess } from './agent-process.ts';
import { startRelay } from './relay.ts';
import { type Measured, spreadOf } from './spread.ts';

const canaries = 1_000;
const perFile = 50;
const namespace = 'idle';
const patienceMs = 150_000;
const calmMs = 6_000;
const windows = 4;
const windowMs = 5_000;
const definitions = new URL('../../manifests/crds/', import.meta.url);

/** The real agent, with everything initialised and nothing to do: what it costs to have it. */
export async function idleCanaries(signal: AbortSignal): Promise<readonly Measured[]> {
  const root = await mkdtemp(join(tmpdir(), 'serin-bench-'));
  const closing: (() => Promise<unknown>)[] = [() => rm(root, { recursive: true, force: true, maxRetries: 3 })];
  try {
    const git = await startGitServer({ root: join(root, 'git') });
    closing.push(() => git.stop());
    const bare = await git.createRepo('idle', { files: { 'README.md': 'A thousand canaries.\n' } });
    await commitWithGit(bare, { files: manifests(), message: 'a thousand canaries' });
    const sandbox = await startSandbox({ podStartMs: 50 });
    closing.push(() => sandbox.stop());
    for (const name of await readdir(definitions))
      await installCrds(sandbox.apiUrl, await readFile(new URL(name, definitions), 'utf8'));
    const counter = await startRelay(sandbox.apiUrl);
    closing.push(() => counter.close());
    const kubeconfig = join(root, 'kubeconfig');
    await writeFile(kubeconfig, sandbox.kubeconfig.replaceAll(sandbox.apiUrl, counter.url));
    const agent = startAgentProcess({
      'git-url': git.repoUrl('idle'),
      'git-dir': join(root, 'mirror'),
      // Ledgers of the first states would be a thousand commits, which nobody waits for here.
      write: 'none',
      // The full comparison, every ten minutes by default, is no idling.
      'resync-schedule': '0 0 1 1 *',
      kubeconfig,
      port: '0',
      'log-level': 'warn',
    });
    closing.push(() => agent.stop());
    const startedMs = Date.now();
    await initialised(sandbox.store, agent, signal);
    const readyMs = Date.now() - startedMs;
    await sleep(calmMs, undefined, { signal });
    return [
      { what: 'from the start until all are initialised (once)', unit: ' s', spread: spreadOf([readyMs / 1_000]) },
      ...(await watchIdle(agent, () => counter.count(), signal)),
    ];
  } finally {
    for (const close of closing.reverse()) await close();
  }
}

async function watchIdle(
  agent: AgentProcess,
  requests: () => number,
  signal: AbortSignal,
): Promise<readonly Measured[]> {
  const cpu: number[] = [];
  const rates: number[] = [];
  const memory: number[] = [];
  for (let window = 0; window < windows; window += 1) {
    const [before, sentBefore, startedMs] = [await agent.usage(), requests(), performance.now()];
    await sleep(windowMs, undefined, { signal });
    const after = await agent.usage();
    const elapsedMs = performance.now() - startedMs;
    cpu.push(((after.cpuMs - before.cpuMs) / elapsedMs) * 100);
    rates.push((requests() - sentBefore) / (elapsedMs / 1_000));
    memory.push(after.rssBytes / 1_000_000);
  }
  return [
    { what: 'CPU, of one core', unit: ' %', spread: spreadOf(cpu), goal: { kind: 'below', value: 2 } },
    {
      what: 'requests to the Kubernetes API',
      unit: '/s',
      spread: spreadOf(rates),
      goal: { kind: 'exactly', value: 0 },
    },
    { what: 'memory (RSS)', unit: ' MB', spread: spreadOf(memory), goal: { kind: 'below', value: 200 } },
  ];
}

async function initialised(store: SandboxStore, agent: AgentProcess, signal: AbortSignal): Promise<void> {
  const deadlineMs = Date.now() + patienceMs;
  for (;;) {
    agent.throwIfEnded();
    const done = store
      .list('flagger.app/v1beta1', 'Canary', namespace)
      .filter((canary) => (canary['status'] as { phase?: string } | undefined)?.phase === 'Initialized').length;
    if (done === canaries) return;
    if (Date.now() > deadlineMs)
      throw new Error(`only ${done} of ${canaries} canaries were initialised within ${patienceMs / 1_000} s`);
    await sleep(250, undefined, { signal });
  }
}

function manifests(): Record<string, string> {
  const files: Record<string, string> = {
    'namespace.yaml': `apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ${namespace}\n`,
  };
  for (let from = 0; from < canaries; from += perFile) {
    const apps = Array.from({ length: perFile }, (_, index) => app(`app-${String(from + index).padStart(4, '0')}`));
    files[`apps/from-${String(from).padStart(4, '0')}.yaml`] = apps.join('---\n');
  }
  return files;
}

const app = (name: string): string => `apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${name}
  namespace: ${namespace}
spec:
  replicas: 1
  selector:
    matchLabels:
      app: ${name}
  template:
    metadata:
      labels:
        app: ${name}
    spec:
      containers:
        - name: app
          image: registry.k8s.io/pause:3.9
---
apiVersion: flagger.app/v1beta1
kind: Canary
metadata:
  name: ${name}
  namespace: ${namespace}
spec:
  provider: kubernetes
  targetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: ${name}
  service:
    port: 80
  analysis:
    interval: 10s
    threshold: 5
    iterations: 5
`;
