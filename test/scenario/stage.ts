import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Clock, systemClock } from '../../src/lib/clock.ts';
import { type GitServer, startGitServer } from '../../src/sandbox/git-server.ts';
import { installCrds, startSandbox } from '../../src/sandbox/sandbox.ts';
import { type Load, startLoad } from '../../src/sandbox/traffic/load.ts';
import type { Sandbox, StoredObject } from '../../src/sandbox/types.ts';
import { fastClock } from '../helpers/fast-clock.ts';
import { commitFiles, removeDir, runGit, tempDir } from '../helpers/temp-repo.ts';
import { type AgentUnderTest, type LogLine, startInProcess, startProcess } from './agent-under-test.ts';

export interface StageOptions {
  /** What the repository holds at first, by path; absent: no commit at all. */
  readonly files?: Readonly<Record<string, string>>;
  /** Hosts that people ask all the time, as they would write them. */
  readonly hosts?: readonly string[];
  /** Requests a second of the stage's clock, for each host. Absent: 3. */
  readonly perSecond?: number;
  /** How much faster than the wall the clock runs. Absent: 20. A process has the wall's. */
  readonly speed?: number;
  /** Of everything on the stage. Absent: one of `speed`. */
  readonly clock?: Clock;
  /** The routing kinds that the cluster knows. Absent: Gateway API. */
  readonly routing?: 'gateway-api' | 'traefik' | 'smi' | 'istio' | 'kuma';
  /** In the stage's time. Absent: 1,000. */
  readonly podStartMs?: number;
  readonly agent?: 'in-process' | 'process';
  /** More settings of `serin run`, by name. */
  readonly flags?: Readonly<Record<string, string>>;
  /** Of credential helpers. Absent: nothing. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Through which registries are reached. Absent: none. */
  readonly registryProxy?: string;
  /** `tenants` of the settings file. Absent: there are none. */
  readonly tenants?: unknown;
  /** `sources` of the settings file, asked at each start; absent: folder `apps` of the repository. */
  readonly sources?: () => readonly unknown[];
  /** False: the agent is started by the scenario. */
  readonly started?: boolean;
  /** What the agent takes for the API server stands in front of the real one. */
  readonly front?: (apiUrl: string) => Promise<{ readonly url: string; close(): Promise<void> }>;
}

/** A Kubernetes event about a Canary. */
interface Happened {
  /** `<name>.<namespace>` */
  readonly canary: string;
  readonly type: string;
  readonly message: string;
}

/** A Git server, an embedded cluster, people who ask, and the agent between them. */
export interface Stage {
  readonly clock: Clock;
  readonly git: GitServer;
  readonly repoPath: string;
  readonly sandbox: Sandbox;
  /** Of all agents that ran on this stage, oldest first. */
  readonly log: readonly LogLine[];
  /** Events of Canaries in the order in which they happened, repeated ones each time. */
  readonly happened: readonly Happened[];
  readonly agent: AgentUnderTest;
  /** Starts an agent; the last one has to be gone. */
  start(options?: {
    readonly freshMirror?: boolean;
    readonly writes?: number;
    readonly isEachStepCounted?: boolean;
  }): Promise<void>;
  /** Commits to the branch as somebody's push does; gives the commit. Null removes a file. */
  push(message: string, files: Readonly<Record<string, string | null>>): Promise<string>;
  /** Commits a change of one file. */
  edit(message: string, path: string, change: (text: string) => string): Promise<string>;
  /** A file at the branch's tip; undefined where there is none. */
  file(path: string): Promise<string | undefined>;
  run: (...words: readonly string[]) => Promise<string>;
  /** Waits for an answer that is neither undefined nor false. On failure tells what the agent logged and the cluster saw. */
  until<T>(what: string, look: () => T | undefined | false | Promise<T | undefined | false>, ms?: number): Promise<T>;
  /** As `until`, but looks only at new tips of the branch. */
  untilPushed<T>(what: string, look: () => Promise<T | undefined | false>, ms?: number): Promise<T>;
  /** Waits for the agent to say this, after the `from`th line. */
  said(text: string | RegExp, options?: { readonly from?: number; readonly ms?: number }): Promise<LogLine>;
  /** Lets the stage's time pass in which nothing is expected to happen. */
  restsFor(ms: number): Promise<void>;
  /** A new empty cluster in the place of the old one; the agent has to be started anew. */
  replaceCluster(): Promise<void>;
  /** Somebody asks all the time. Each of `paths` at the stage's rate; absent: `/`. */
  ask(host: string, ...paths: readonly string[]): void;
  /** Nobody asks any more. */
  hush(): Promise<void>;
  stop(): Promise<void>;
}

/** For scenarios: machines may be slow, and what goes wrong is told by a wait that ends before. */
export const patient = { timeout: 120_000 };
/** For stories whose every line is told: on a machine that is busy with other things a measured value may come a step late. */
export const onceMore = { ...patient, retry: 1 };

const projectRoot = new URL('../../', import.meta.url);
const definitions = [
  'manifests/crds/canaries.flagger.app.yaml',
  'manifests/crds/metrictemplates.flagger.app.yaml',
  'manifests/crds/alertproviders.flagger.app.yaml',
];

/** Runs a scenario on a stage of its own; nothing is left behind. */
export async function onStage(options: StageOptions, scenario: (stage: Stage) => Promise<void>): Promise<void> {
  const stage = await setStage(options);
  try {
    await scenario(stage);
  } finally {
    await stage.stop();
  }
}

async function setStage(options: StageOptions): Promise<Stage> {
  const root = await tempDir();
  const closing: (() => Promise<unknown>)[] = [() => removeDir(root)];
  const stop = async (): Promise<void> => {
    for (const step of closing.splice(0).toReversed()) await step();
  };
  try {
    return await build(options, root, closing, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function openCluster(
  { podStartMs = 1_000, routing = 'gateway-api' }: StageOptions,
  clock: Clock,
  happened: Happened[],
): Promise<Sandbox> {
  const sandbox = await startSandbox({ clock, podStartMs });
  sandbox.store.onEvent(({ type: change, object, previous }) => {
    if (object.kind !== 'Event' || change === 'DELETED' || object['count'] === previous?.['count']) return;
    const { kind, name, namespace } = object['involvedObject'] as { kind: string; name: string; namespace: string };
    const [type, message] = [String(object['type']), String(object['message'])];
    if (kind === 'Canary') happened.push({ canary: `${name}.${namespace}`, type, message });
  });
  for (const path of [...definitions, `fixtures/crds/${routing}.yaml`])
    await installCrds(sandbox.apiUrl, await readFile(new URL(path, projectRoot), 'utf8'));
  return sandbox;
}

async function build(
  options: StageOptions,
  root: string,
  closing: (() => Promise<unknown>)[],
  stop: () => Promise<void>,
): Promise<Stage> {
  const { perSecond = 3, agent: kind = 'in-process' } = options;
  const clock = options.clock ?? (kind === 'process' ? systemClock : fastClock(options.speed ?? 20));
  const git = await startGitServer({ root: join(root, 'git') });
  closing.push(() => git.stop());
  const repoPath = await git.createRepo('config', options.files ? { files: options.files } : {});
  const happened: Happened[] = [];
  let sandbox = await openCluster(options, clock, happened);
  closing.push(() => sandbox.stop());
  const log: LogLine[] = [];
  const asked: { readonly host: string; readonly paths: readonly string[] }[] = [];
  const loads: Load[] = [];
  const silence = async (): Promise<void> => {
    await Promise.all(loads.splice(0).map((load) => load.stop()));
  };
  closing.push(silence);
  let agent: AgentUnderTest | undefined;
  closing.push(async () => agent?.stop());
  let mirrors = 0;

  const show = (): string => tale(log, happened, sandbox);
  const until: Stage['until'] = async (what, look, ms = 30_000) => {
    const deadlineMs = Date.now() + ms;
    for (;;) {
      const found = await look();
      if (found !== undefined && found !== false) return found;
      if (Date.now() > deadlineMs) throw new Error(`never came true within ${ms} ms: ${what}\n${show()}`);
      await sleep(10);
    }
  };
  const load = (host: string, path: string): void => {
    loads.push(startLoad({ url: sandbox.gatewayUrl, host, path, perSecond, clock, concurrency: 8 }));
  };
  const ask: Stage['ask'] = (host, ...paths) => {
    asked.push({ host, paths });
    for (const path of paths.length === 0 ? ['/'] : paths) load(host, path);
  };
  const file: Stage['file'] = async (path) => {
    try {
      return await runGit(['-C', repoPath, 'show', `main:${path}`]);
    } catch (error) {
      if (/: fatal: path '.*' (does not exist in|exists on disk, but not in) 'main'$/.test(String(error)))
        return undefined;
      throw error;
    }
  };
  /** The agent may have pushed meanwhile; then a person pulls and pushes again. */
  const patiently = async (attempt: () => Promise<string>): Promise<string> => {
    for (let tries = 1; ; tries += 1) {
      try {
        return await attempt();
      } catch (error) {
        if (tries === 5 || !/does not contain|cannot lock ref/.test(String(error))) throw error;
      }
    }
  };
  const push: Stage['push'] = async (message, files) => {
    const commit = await patiently(() => commitFiles(repoPath, { message, files }));
    if (agent?.isRunning()) agent.pollNow();
    return commit;
  };

  const stage: Stage = {
    clock,
    git,
    repoPath,
    log,
    happened,
    get sandbox() {
      return sandbox;
    },
    get agent() {
      if (!agent) throw new Error('no agent was started');
      return agent;
    },
    async start({ freshMirror = false, writes, isEachStepCounted = false } = {}) {
      if (freshMirror) mirrors += 1;
      const kubeconfigPath = join(root, 'kubeconfig');
      const front = await options.front?.(sandbox.apiUrl);
      if (front) closing.splice(1, 0, () => front.close());
      await writeFile(kubeconfigPath, sandbox.kubeconfig.replaceAll(sandbox.apiUrl, front?.url ?? sandbox.apiUrl));
      const flags = {
        ...(options.sources ? {} : { 'git-url': git.repoUrl('config'), 'git-path': 'apps' }),
        'git-poll-interval': kind === 'process' ? '300ms' : '30s',
        'git-dir': join(root, `mirror-${mirrors}`),
        'min-interval': '1s',
        'metrics-server': sandbox.prometheusUrl,
        'mesh-provider': 'gatewayapi:v1',
        'git-author-email': 'serin@example.test',
        'cluster-name': 'stage',
        kubeconfig: kubeconfigPath,
        'http-proxy': sandbox.proxyUrl,
        port: '0',
        ...options.flags,
      };
      const begin = kind === 'process' ? startProcess : startInProcess;
      agent = await begin({
        clock,
        flags,
        onLine: (line) => log.push(line),
        tenants: options.tenants,
        sources: options.sources?.(),
        ...(options.environment ? { environment: options.environment } : {}),
        ...(options.registryProxy === undefined ? {} : { registryProxy: options.registryProxy }),
        isEachStepCounted,
        ...(writes === undefined ? {} : { writes }),
      });
    },
    push,
    async edit(message, path, change) {
      const before = await file(path);
      if (before === undefined) throw new Error(`${path} is not at the tip`);
      const after = change(before);
      if (after === before) throw new Error(`nothing of ${path} was changed:\n${before}`);
      return push(message, { [path]: after });
    },
    file,
    run: (...words) => runGit(['-C', repoPath, ...words]),
    until,
    async untilPushed(what, look, ms) {
      let seen = '';
      return until(
        what,
        async () => {
          // In one step: the whole way through the thread pool costs more than all else of a look.
          const tip = readFileSync(join(repoPath, 'refs', 'heads', 'main'), 'utf8');
          if (tip === seen) return undefined;
          seen = tip;
          return look();
        },
        ms,
      );
    },
    said: (text, { from = 0, ms } = {}) =>
      until(
        `the agent says ${String(text)}`,
        () => log.slice(from).find(({ msg }) => (typeof text === 'string' ? msg === text : text.test(msg))),
        ms,
      ),
    restsFor: (ms) => clock.sleep(ms, AbortSignal.timeout(30_000)),
    async replaceCluster() {
      await silence();
      await sandbox.stop();
      sandbox = await openCluster(options, clock, happened);
      for (const { host, paths } of asked.splice(0)) ask(host, ...paths);
    },
    ask,
    async hush() {
      asked.length = 0;
      await silence();
    },
    stop,
  };
  for (const host of options.hosts ?? []) ask(host);
  if (options.started !== false) await stage.start();
  return stage;
}

/** What is needed to understand a failure. */
function tale(log: readonly LogLine[], happened: readonly Happened[], { store }: Sandbox): string {
  const lines = log.slice(-300).map(({ level, msg, ...rest }) => {
    const { ts: _ts, ...fields } = rest as Record<string, unknown>;
    return `${level} ${msg} ${JSON.stringify(fields).slice(0, 300)}`;
  });
  const canaries = store.list('flagger.app/v1beta1', 'Canary');
  return [
    '--- log',
    ...lines,
    '--- events of canaries',
    ...happened.slice(-40).map(({ type, message }) => `${type} ${message}`),
    '--- canaries',
    ...canaries.map(
      ({ metadata, ...rest }) => `${metadata.namespace}/${metadata.name} ${JSON.stringify(rest['status'])}`,
    ),
    '--- deployments',
    ...store.list('apps/v1', 'Deployment').map(deploymentLine),
  ].join('\n');
}

function deploymentLine({ metadata, ...rest }: StoredObject): string {
  const { replicas, template } = rest['spec'] as {
    replicas?: number;
    template?: { spec?: { containers?: { image?: string }[] } };
  };
  const status = rest['status'] as { readyReplicas?: number } | undefined;
  const images = (template?.spec?.containers ?? []).map(({ image }) => image);
  return `${metadata.namespace}/${metadata.name} ${images.join()} ${status?.readyReplicas ?? 0}/${replicas}`;
}
