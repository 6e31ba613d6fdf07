import { rmSync } from 'node:fs';
import { appendFile, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { systemClock } from '../../lib/clock.ts';
import { fastClock } from '../../lib/fast-clock.ts';
import { type CommandContext, exitCodes } from '../context.ts';
import { type AgentChild, type AgentWitness, startAgentChild } from '../sandbox/agent-child.ts';
import { runFaults } from '../sandbox/fault-course.ts';
import { parseFault } from '../sandbox/fault-windows.ts';
import { type Ground, layGround } from '../sandbox/ground.ts';
import { settingsOf, speedOf } from '../sandbox/options.ts';
import { parentGone } from '../sandbox/parent.ts';
import { requireFolder, seedRepository } from '../sandbox/seed.ts';
import { version } from '../../lib/version.ts';

export interface SandboxCommandOptions {
  readonly repo?: string;
  readonly agent?: boolean;
  readonly fast: string;
  readonly json?: boolean;
  readonly dir?: string;
  readonly fault?: readonly string[];
}

const repoName = 'config';
const definitions = [
  'manifests/crds/canaries.flagger.app.yaml',
  'manifests/crds/metrictemplates.flagger.app.yaml',
  'manifests/crds/alertproviders.flagger.app.yaml',
  ...['gateway-api', 'traefik', 'istio', 'contour', 'apisix', 'appmesh', 'gloo', 'kuma', 'smi', 'keda'].map(
    (name) => `fixtures/crds/${name}.yaml`,
  ),
];

/** The first line with `--json`. */
interface Announcement {
  readonly version: string;
  readonly kubeconfig: string;
  readonly gitUrl: string;
  readonly gitBranch: string;
  /** The bare repository behind `gitUrl`. */
  readonly gitDir: string;
  readonly seededFrom: string;
  readonly apiUrl: string;
  readonly gatewayUrl: string;
  readonly prometheusUrl: string;
  /** HTTP proxy that knows the cluster's names. */
  readonly proxyUrl: string;
  readonly agentUrl?: string;
  readonly agentLog?: string;
  readonly ports: Readonly<Record<string, number>>;
  readonly pids: Readonly<Record<string, number>>;
  readonly speed: number;
}

/** `serin sandbox`: an embedded cluster and a Git server, with or without the agent, until it or its parent is ended. */
export async function sandbox(
  context: CommandContext,
  options: SandboxCommandOptions,
  words: readonly string[],
): Promise<number> {
  const stop = AbortSignal.any([context.signal, parentGone()]);
  const speed = speedOf(options.fast);
  const faults = (options.fault ?? []).map(parseFault);
  const settings = settingsOf(words, options.agent === true);
  await requireFolder(options.repo);
  const folder = options.dir === undefined ? await mkdtemp(join(tmpdir(), 'serin-sandbox-')) : resolve(options.dir);
  const forget = (): void => rmSync(folder, { recursive: true, force: true });
  // Also when a second signal ends the process where it is.
  if (options.dir === undefined) process.once('exit', forget);
  const startMs = Date.now();
  const clock = speed === 1 ? systemClock : fastClock(speed, startMs);
  const closing: (() => Promise<unknown>)[] = [];
  try {
    const ground = await layGround(folder, { clock, podStartMs: 1_000, standIns: true, definitions });
    closing.push(() => ground.stop());
    const gitDir = await ground.gitServer.createRepo(repoName);
    const seededFrom = await seedRepository(gitDir, options.repo);
    let agent: AgentChild | undefined;
    if (options.agent === true && !stop.aborted) {
      const log = agentLog(context, join(folder, 'agent.log'), options.json === true, startMs);
      const order = { settings: { ...agentDefaults(ground), ...settings }, speed, startMs };
      const started = await startAgentChild(order, log);
      closing.push(() => started.stop());
      agent = started;
    }
    const announcement = announce(ground, { gitDir, seededFrom, speed, agent });
    if (options.json === true) context.output.line(JSON.stringify(announcement));
    else tell(context, announcement);
    const tellFault = (text: string): void =>
      options.json === true ? void context.stderr.write(`serin: ${text}\n`) : context.output.line(text);
    closing.push(runFaults(faults, ground, gitDir, clock, speed, tellFault));
    await new Promise<void>((done) => {
      if (stop.aborted) done();
      else stop.addEventListener('abort', () => done(), { once: true });
    });
    return exitCodes.done;
  } finally {
    for (const close of closing.reverse()) await close();
    if (options.dir === undefined) {
      forget();
      process.off('exit', forget);
    }
  }
}

/** What connects the agent with what is around it. The rest are its own defaults and SERIN_… variables, as always. */
function agentDefaults({
  gitServer,
  sandbox: { prometheusUrl, proxyUrl },
  kubeconfigPath,
}: Ground): Record<string, string> {
  return {
    'git-url': gitServer.repoUrl(repoName),
    'git-branch': 'main',
    kubeconfig: kubeconfigPath,
    context: '',
    'metrics-server': prometheusUrl,
    'http-proxy': proxyUrl,
    port: '0',
  };
}

/** All goes into the file; people are shown the texts. */
function agentLog({ output, stderr }: CommandContext, path: string, json: boolean, startMs: number): AgentWitness {
  let writing = Promise.resolve();
  return {
    onLine: (line) => {
      writing = writing.then(() => appendFile(path, `${line}\n`)).catch(() => undefined);
      if (json) return;
      const seconds = ((Date.now() - startMs) / 1_000).toFixed(1).padStart(5);
      output.line(`${seconds}s  ${textOf(line)}`);
    },
    onEnd: (how) => {
      stderr.write(`serin: the agent has ended (${how}) and is started again\n`);
    },
  };
}

function textOf(line: string): string {
  try {
    const { msg } = JSON.parse(line) as { msg?: unknown };
    return typeof msg === 'string' ? msg : line;
  } catch {
    return line;
  }
}

function announce(
  { gitServer, sandbox: { apiUrl, gatewayUrl, prometheusUrl, proxyUrl }, kubeconfigPath, folder }: Ground,
  run: { gitDir: string; seededFrom: string; speed: number; agent: AgentChild | undefined },
): Announcement {
  const port = (url: string): number => Number(new URL(url).port);
  const { agent } = run;
  return {
    version,
    kubeconfig: kubeconfigPath,
    gitUrl: gitServer.repoUrl(repoName),
    gitBranch: 'main',
    gitDir: run.gitDir,
    seededFrom: run.seededFrom,
    apiUrl,
    gatewayUrl,
    prometheusUrl,
    proxyUrl,
    ...(agent ? { agentUrl: `http://127.0.0.1:${agent.port()}`, agentLog: join(folder, 'agent.log') } : {}),
    ports: {
      api: port(apiUrl),
      git: port(gitServer.url),
      gateway: port(gatewayUrl),
      prometheus: port(prometheusUrl),
      proxy: port(proxyUrl),
      ...(agent ? { agent: agent.port() } : {}),
    },
    pids: { sandbox: process.pid, ...(agent ? { agent: agent.pid() } : {}) },
    speed: run.speed,
  };
}

function tell({ output }: CommandContext, told: Announcement): void {
  output.line(output.colour.bold('Serin sandbox: a cluster and a Git server, until Ctrl-C'));
  output.line(`  export KUBECONFIG=${told.kubeconfig}`);
  output.line(`  git clone ${told.gitUrl}   # branch main: ${told.seededFrom}`);
  output.line(`  curl -H 'Host: HOST' ${told.gatewayUrl}/   # as users come in`);
  output.line(`  while sleep 0.2; do curl -s -o /dev/null -H 'Host: HOST' ${told.gatewayUrl}/; done`);
  output.line('    # a canary with metrics is rolled back where nobody comes: keep this running while you push');
  output.line(`  curl '${told.prometheusUrl}/api/v1/query?query=up'`);
  output.line(`  http_proxy=${told.proxyUrl} curl http://SERVICE.NAMESPACE/   # as pods call each other`);
  if (told.agentUrl === undefined) output.line('  the agent is not running; add --agent, or start your own on these');
  else output.line(`  curl ${told.agentUrl}/readyz   # the agent; its log: ${told.agentLog ?? ''}`);
}
