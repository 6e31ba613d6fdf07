import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Agent, startAgent } from '../../agent/start.ts';
import { defaultSource } from '../../agent/deps.ts';
import { createTelemetry } from '../../outlets/telemetry.ts';
import { type ClusterClient, openCluster } from '../../cluster/client.ts';
import { readSettings } from '../../config/settings.ts';
import { openRepo } from '../../git/open-repo.ts';
import { systemClock } from '../../lib/clock.ts';
import { createHttp } from '../../lib/http/client.ts';
import { createLogger, silentLogger } from '../../lib/log.ts';
import { runGit } from '../../sandbox/git-command.ts';
import { type Load, startLoad } from '../../sandbox/traffic/load.ts';
import type { Sandbox } from '../../sandbox/types.ts';
import { agentSettings } from '../agent-settings.ts';
import { closeTools } from '../../render/tools.ts';
import { findTools } from '../find-tools.ts';
import { openRegistries } from '../registries.ts';
import { layGround, projectRoot } from '../sandbox/ground.ts';
import { version } from '../../lib/version.ts';
import { openUi } from '../../ui/open-ui.ts';
import type { UiSettings } from '../../ui/settings.ts';

export const demoHost = 'quotes.example.test';
const repoName = 'config';

/** What is played. */
export interface StageSetup {
  /** What the repository holds at first, by path. `repoUrl`: where it is served. */
  readonly files: (repoUrl: string) => Promise<Readonly<Record<string, string>>>;
  /** Where users come in. */
  readonly host: string;
  /** More settings of the agent, by name. */
  readonly flags?: Readonly<Record<string, string>>;
  /** Its thread, as JavaScript. Absent: no dashboard. */
  readonly dashboard?: { readonly entry: URL };
  /** PATH, where programs of the agent are looked for. Absent: it needs none. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** Everything the demo plays on: a Git server, the embedded cluster, traffic, and the agent. */
export interface Stage {
  readonly root: string;
  readonly repoPath: string;
  readonly repoUrl: string;
  /** A checkout of a person's. */
  readonly clone: string;
  readonly kubeconfigPath: string;
  readonly logPath: string;
  readonly sandbox: Sandbox;
  readonly cluster: ClusterClient;
  readonly agent: Agent;
  readonly load: Load;
  /** Whoever can reach it may do all. Absent: there is none. */
  readonly dashboardUrl?: string;
  /** Commits like a person would: edits files of a working copy, commits, pushes. Returns the short commit id. */
  push(
    message: string,
    edit: (read: (path: string) => Promise<string>) => Promise<Readonly<Record<string, string>>>,
  ): Promise<string>;
  /** Runs git on the bare repository. */
  git(...words: readonly string[]): Promise<string>;
  stop(): Promise<void>;
}

const definitions = [
  'manifests/crds/canaries.flagger.app.yaml',
  'manifests/crds/metrictemplates.flagger.app.yaml',
  'manifests/crds/alertproviders.flagger.app.yaml',
  'fixtures/crds/gateway-api.yaml',
];
const demoFiles = ['namespace.yaml', 'quotes.yaml', 'canary.yaml'];

/** The quotes of the guides. */
export const quotes: StageSetup = {
  host: demoHost,
  async files() {
    const files: Record<string, string> = {};
    for (const name of demoFiles) {
      const text = await readFile(new URL(`fixtures/demo/${name}`, projectRoot), 'utf8');
      // Nobody wants to watch steps of ten seconds.
      files[`apps/${name}`] = text.replace(/^ {4}interval: 10s$/m, '    interval: 2s');
    }
    return files;
  },
};

/** Only programs of this machine reach it. */
const uiSettings: UiSettings = {
  port: 0,
  host: '127.0.0.1',
  url: undefined,
  hosts: [],
  anonymous: 'operate',
  tokenFile: undefined,
  kubernetes: false,
  oidc: undefined,
};

export async function setStage(setup: StageSetup, stop: AbortSignal): Promise<Stage> {
  const closing: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const step of closing.splice(0).reverse()) await step();
  };
  try {
    return await build(setup, stop, closing, close);
  } catch (error) {
    await close();
    throw error;
  }
}

async function build(
  { files, host, flags: more = {}, environment, dashboard }: StageSetup,
  stop: AbortSignal,
  closing: (() => Promise<unknown>)[],
  close: () => Promise<void>,
): Promise<Stage> {
  const root = await mkdtemp(join(tmpdir(), 'serin-demo-'));
  const ground = await layGround(root, { clock: systemClock, podStartMs: 400, definitions });
  closing.push(() => ground.stop());
  const { gitServer, sandbox, kubeconfigPath } = ground;
  const repoPath = await gitServer.createRepo(repoName, { files: await files(gitServer.repoUrl(repoName)) });
  const repoUrl = gitServer.repoUrl(repoName);
  const clone = join(root, 'working-copy');
  await runGit(['clone', '--quiet', repoUrl, clone]);
  await runGit(['-C', clone, 'config', 'user.name', 'Ada']);
  await runGit(['-C', clone, 'config', 'user.email', 'ada@example.test']);

  const logPath = join(root, 'agent.log');
  const { createWriteStream } = await import('node:fs');
  const logFile = createWriteStream(logPath);
  closing.push(() => new Promise((resolve) => logFile.end(resolve)));
  const log = createLogger('info', (line) => void logFile.write(line));

  const flags = {
    'git-url': repoUrl,
    'git-path': 'apps',
    'git-poll-interval': '1s',
    'min-interval': '1s',
    'metrics-server': sandbox.prometheusUrl,
    'mesh-provider': 'gatewayapi:v1',
    'git-author-email': 'serin@example.test',
    'cluster-name': 'demo',
    ...more,
  };
  const raw = readSettings({ flags, environment: {}, file: {} });
  const settings = agentSettings(raw);
  const cluster = await openCluster({ kind: 'text', text: sandbox.kubeconfig }, { clock: systemClock, log });
  closing.push(() => cluster.close());
  const viewer = await openCluster(
    { kind: 'text', text: sandbox.kubeconfig },
    { clock: systemClock, log: silentLogger },
  );
  closing.push(() => viewer.close());
  const http = createHttp({ userAgent: `serin/${version}`, maxBytes: 1_000_000, proxy: { http: sandbox.proxyUrl } });
  closing.push(() => http.close());
  const repo = await openRepo({ url: repoUrl, branch: 'main', dir: join(root, 'mirror'), log });
  closing.push(() => repo.close());
  const telemetry = createTelemetry(version, settings.provider);
  const registries = openRegistries(raw, { clock: systemClock });
  closing.push(() => registries.close());
  const tools = environment ? findTools(raw, environment) : undefined;
  if (tools) closing.push(() => closeTools(tools));
  const agent = startAgent({
    clock: systemClock,
    log,
    http,
    cluster,
    sources: [{ name: defaultSource, repo, settings, ...(tools ? { tools } : {}) }],
    registry: registries.client,
    telemetry,
    settings,
  });
  closing.push(() => agent.stop());
  const ui =
    dashboard &&
    (await openUi({ agent: agent.dashboard, settings: uiSettings, entry: dashboard.entry, clock: systemClock, log }));
  if (ui) closing.push(() => ui.close());
  const load = startLoad({ url: sandbox.gatewayUrl, host, perSecond: 40, clock: systemClock });
  closing.push(() => load.stop());
  stop.throwIfAborted();

  return {
    root,
    repoPath,
    repoUrl,
    clone,
    kubeconfigPath,
    logPath,
    sandbox,
    cluster: viewer,
    agent,
    load,
    ...(ui ? { dashboardUrl: `http://127.0.0.1:${ui.port ?? ''}/` } : {}),
    async push(message, edit) {
      await runGit(['-C', clone, 'pull', '--quiet', '--rebase']);
      const changed = await edit((path) => readFile(join(clone, path), 'utf8'));
      for (const [path, text] of Object.entries(changed)) await writeFile(join(clone, path), text);
      await runGit(['-C', clone, 'commit', '--quiet', '--all', '-m', message]);
      await runGit(['-C', clone, 'push', '--quiet']);
      return (await runGit(['-C', clone, 'rev-parse', '--short', 'HEAD'])).trim();
    },
    git: (...words) => runGit(['-C', repoPath, ...words]),
    stop: close,
  };
}
