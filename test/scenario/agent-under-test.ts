import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Agent, startAgent } from '../../src/agent/start.ts';
import type { Source } from '../../src/agent/deps.ts';
import { createTelemetry } from '../../src/outlets/telemetry.ts';
import { clusterCapabilities } from '../../src/cli/capabilities.ts';
import { findTools } from '../../src/cli/find-tools.ts';
import { configuredSources, mirrorFolder } from '../../src/cli/sources.ts';
import { openRegistries } from '../../src/cli/registries.ts';
import { sshAccess } from '../../src/cli/ssh-access.ts';
import { openCluster } from '../../src/cluster/client.ts';
import { readSettings } from '../../src/config/settings.ts';
import { remoteOf } from '../../src/config/sources.ts';
import { closeTools } from '../../src/render/tools.ts';
import { openRepo } from '../../src/git/open-repo.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { createHttp } from '../../src/lib/http/client.ts';
import { createLogger } from '../../src/lib/log.ts';
import { lifeOf, mortal } from './mortal.ts';

/** A line of the agent's log. */
export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

export interface AgentUnderTest {
  /** Absent: it runs in this process. */
  readonly pid?: number;
  /** Why it is not ready; always empty for a process. */
  notReady(): readonly string[];
  notAlive(): readonly string[];
  /** What it says behind OK; always empty for a process. */
  notes(): readonly string[];
  /** Tells it of a push, as a Git server's webhook does; processes find it by themselves. */
  pollNow(): void;
  /** What /metrics says. Only in this process. */
  metrics(): Promise<string>;
  /** Tells it of a new image, as a registry's webhook does. Only in this process. */
  imagePushed(image: string): number;
  /** As the dashboard sees it. Only in this process. */
  readonly dashboard?: Agent['dashboard'];
  isRunning(): boolean;
  /** Its writes are used up. */
  isDead(): boolean;
  /** As SIGTERM would. Once is enough; again is harmless. */
  stop(): Promise<void>;
  /** SIGKILL. Only for processes. */
  kill(): Promise<void>;
}

export interface AgentOptions {
  readonly clock: Clock;
  /** Settings of `serin run`, by name. */
  readonly flags: Readonly<Record<string, string>>;
  readonly onLine: (line: LogLine) => void;
  /** `tenants` of the settings file. Absent: there are none. Not for processes. */
  readonly tenants?: unknown;
  /** Likewise, `sources`. */
  readonly sources?: unknown;
  /** Of credential helpers. Absent: nothing. Not for processes. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Through which registries are reached. Absent: none. Not for processes. */
  readonly registryProxy?: string;
  /** Dies after so many writes of canaries and pushes to Git. Absent: lives on. Not for processes. */
  readonly writes?: number;
  /** Every write to the cluster but events and every answer of a registry counts as such a write. */
  readonly isEachStepCounted?: boolean;
}

/** The agent as `serin run` joins it, but in this process and with the stage's clock. */
export async function startInProcess({
  clock,
  flags,
  onLine,
  tenants,
  sources: written,
  writes,
  environment = {},
  registryProxy,
  isEachStepCounted = false,
}: AgentOptions): Promise<AgentUnderTest> {
  const raw = readSettings({ flags, environment: {}, file: {} });
  const { settings, sources } = configuredSources(raw, { tenants, sources: written });
  const log = createLogger('debug', (line) => onLine(JSON.parse(line) as LogLine));
  const telemetry = createTelemetry('test', settings.provider);
  const http = createHttp({ userAgent: 'serin', maxBytes: 1_000_000, proxy: { http: raw['http-proxy'] } });
  const registries = openRegistries(raw, {
    clock,
    environment,
    ...(registryProxy === undefined ? {} : { proxy: { http: registryProxy } }),
    onRequest: (counted) => telemetry.registryRequests.inc({ ...counted }),
  });
  const cluster = await openCluster({ kind: 'file', path: raw.kubeconfig }, { clock, log });
  const programs = {
    ...raw,
    kustomize: flags['kustomize'] ?? '',
    helm: flags['helm'] ?? '',
    sops: flags['sops'] ?? '',
  };
  const asking = new AbortController();
  const tools = findTools(programs, {}, clusterCapabilities(cluster, asking.signal));
  const life = lifeOf(writes ?? Number.POSITIVE_INFINITY);
  const opened: Source[] = [];
  const closing: (() => Promise<void>)[] = [];
  for (const { name, values, settings: own } of sources) {
    const repo = await openRepo({
      url: values['git-url'],
      branch: values['git-branch'],
      dir: mirrorFolder(values['git-dir'], name),
      log,
      ...sshAccess(values, cluster, log),
    });
    closing.push(() => repo.close());
    opened.push({
      name,
      repo: mortal(repo, life, (method) => method === 'push'),
      remote: remoteOf(values),
      settings: own,
      tools,
    });
  }
  const agent: Agent = startAgent({
    clock,
    log,
    http,
    cluster: mortal(cluster, life, isEachStepCounted ? isWrite : isCanaryWrite),
    registry: isEachStepCounted ? mortal(registries.client, life, () => true) : registries.client,
    sources: opened,
    telemetry,
    settings,
  });
  let ended: Promise<void> | undefined;
  const end = async (): Promise<void> => {
    await agent.stop();
    asking.abort();
    await closeTools(tools);
    for (const close of closing) await close();
    await cluster.close();
    await http.close();
    await registries.close();
  };
  return {
    notReady: () => agent.notReady(),
    notAlive: () => agent.notAlive(),
    notes: () => agent.notes(),
    pollNow: () => agent.pollNow(),
    metrics: () => telemetry.registry.metrics(),
    imagePushed: (image) => agent.imagePushed(image),
    dashboard: agent.dashboard,
    isRunning: () => ended === undefined,
    isDead: () => life.isOver,
    stop: () => (ended ??= end()),
    kill: () => Promise.reject(new Error('only a process can be killed')),
  };
}

const isWrite = (method: string, [object]: readonly unknown[]): boolean =>
  ['create', 'apply', 'jsonPatch', 'mergePatch', 'remove'].includes(method) &&
  (object as { readonly kind?: string }).kind !== 'Event';

/** Writes of the canaries' loop, not those of the sync, the inventory and events. */
function isCanaryWrite(method: string, args: readonly unknown[]): boolean {
  if (!['create', 'jsonPatch', 'mergePatch'].includes(method)) return false;
  const { manager } = args.at(-2) as { manager?: string };
  return manager === 'serin-canary' || manager === 'serin-release';
}

const program = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** The built agent in a process of its own. */
export async function startProcess({ flags, onLine }: AgentOptions): Promise<AgentUnderTest> {
  if (!existsSync(program)) throw new Error(`${program} is not there: run "npm run build" first`);
  const words = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
  const child = spawn(process.execPath, [program, 'run', ...words], { stdio: ['ignore', 'ignore', 'pipe'] });
  const exited = once(child, 'exit');
  const lines = createInterface({ input: child.stderr });
  lines.on('line', (text) =>
    onLine(text.startsWith('{') ? (JSON.parse(text) as LogLine) : { level: 'none', msg: text }),
  );
  const end = async (name: NodeJS.Signals): Promise<void> => {
    child.kill(name);
    await exited;
  };
  return {
    ...(child.pid === undefined ? {} : { pid: child.pid }),
    notReady: () => [],
    notAlive: () => [],
    notes: () => [],
    pollNow: () => undefined,
    metrics: () => Promise.reject(new Error('a process is asked over HTTP')),
    imagePushed: () => 0,
    isDead: () => false,
    isRunning: () => child.exitCode === null && child.signalCode === null,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  };
}
