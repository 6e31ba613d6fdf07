import { readFile, rm } from 'node:fs/promises';
import { createThreadedReader } from '../../agent/reader/file-reader.ts';
import { type Agent, startAgent } from '../../agent/start.ts';
import type { Deps, Source } from '../../agent/deps.ts';
import { createTelemetry } from '../../outlets/telemetry.ts';
import { type ClusterClient, openCluster } from '../../cluster/client.ts';
import { readSettings, type Settings } from '../../config/settings.ts';
import { remoteOf } from '../../config/sources.ts';
import { openRepo } from '../../git/open-repo.ts';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { AgentError, messageOf } from '../../lib/errors.ts';
import { createHttp } from '../../lib/http/client.ts';
import { createMailer } from '../../lib/mail.ts';
import { createLogger } from '../../lib/log.ts';
import { isReadable } from '../../lib/http/plain-http.ts';
import { defaultLimits, MiB } from '../../manifest/limits.ts';
import { areaOf } from '../../manifest/load.ts';
import { closeTools } from '../../render/tools.ts';
import { startGateServer } from '../../server/gate-server.ts';
import { startHookServer } from '../../server/hook-server.ts';
import { parseGateTokens } from '../../server/gate-tokens.ts';
import { startServer } from '../../server/server.ts';
import { clusterCapabilities } from '../capabilities.ts';
import { clusterSource } from '../cluster-source.ts';
import { type CommandContext, exitCodes } from '../context.ts';
import { readSettingsFile } from '../settings-file.ts';
import { findTools } from '../find-tools.ts';
import { temporaryFolder } from '../settings-check.ts';
import { checkSourceFiles, configuredSources, mirrorFolder } from '../sources.ts';
import { openRegistries } from '../registries.ts';
import { readAuthorities } from '../../git/authorities.ts';
import { uiSettings } from '../ui-settings.ts';
import { sshAccess } from '../ssh-access.ts';
import { openUi } from '../../ui/open-ui.ts';
import { version } from '../../lib/version.ts';

export interface RunOptions {
  /** Absent: the machine's. */
  readonly clock?: Clock;
  /** Told the port of /metrics, /healthz and /readyz once it is open. */
  readonly onListening?: (port: number) => void;
}

/** `serin run`: everything real, from the settings to the signal that ends it. */
export async function runAgent(
  context: CommandContext,
  flags: Readonly<Record<string, string | undefined>>,
  configFile: string | undefined,
  { clock = systemClock, onListening }: RunOptions = {},
): Promise<number> {
  const file = await readSettingsFile(configFile);
  const raw = readSettings({ flags, environment: context.environment, file: file.values });
  await checkSourceFiles(configuredSources(raw, file).sources);
  const source = clusterSource(raw, context.environment);
  const pod = source.kind === 'service-account' ? { podNamespace: await podNamespace() } : {};
  const { settings, sources } = configuredSources(raw, file, pod);
  const ui = await uiSettings(raw, settings.namespace);
  const log = createLogger(raw['log-level']);
  let known: ClusterClient | undefined;
  const telemetry = createTelemetry(version, settings.provider, () => known?.load);
  const temporary = raw['git-dir'] === '' ? await temporaryFolder() : undefined;
  const closing: (() => Promise<void>)[] = [];
  try {
    const proxies = proxyOf(context.environment);
    // In a pod loopback is the agent itself and its sidecars; outside of one it is whatever a person has started beside it.
    const addresses = {
      mayLoopback: (context.environment['KUBERNETES_SERVICE_HOST'] ?? '') === '',
      allowed: raw['allow-addresses'],
    };
    const http = createHttp({
      userAgent: `serin/${version}`,
      maxBytes: 1_000_000,
      addresses,
      trusted: [raw['metrics-server'], raw['event-webhook'], raw['slack-url'], raw['msteams-url']],
      ...(raw['http-proxy'] === '' ? proxies : { proxy: { http: raw['http-proxy'], https: raw['http-proxy'] } }),
    });
    closing.push(() => http.close());
    const registries = openRegistries(raw, {
      clock,
      addresses,
      ...proxies,
      onRequest: (counted) => telemetry.registryRequests.inc({ ...counted }),
      environment: context.environment,
      ...(raw['registry-ca-file'] === ''
        ? {}
        : { ca: (await readAuthorities({ file: raw['registry-ca-file'] })) ?? '' }),
    });
    closing.push(() => registries.close());
    const cluster = await openCluster(source, {
      clock,
      log,
      onRequest: (counted) => telemetry.kubernetesRequests.inc(counted),
    });
    known = cluster;
    closing.push(() => cluster.close());
    const asking = new AbortController();
    closing.push(() => Promise.resolve(asking.abort()));
    const capabilities = clusterCapabilities(cluster, asking.signal);
    const opened: Source[] = [];
    for (const { name, values, settings: own, shown } of sources) {
      const repo = await openRepo({
        url: values['git-url'],
        branch: values['git-branch'],
        dir: mirrorFolder(temporary ?? raw['git-dir'], name),
        limits: {
          maxPackBytes: values['git-max-download'] * MiB,
          maxFileBytes: (own.limits ?? defaultLimits).fileBytes,
        },
        memoryBytes: values['git-cache-memory'] * MiB,
        log,
        ...proxies,
        ...(values['git-password-file'] === ''
          ? {}
          : {
              auth: {
                kind: 'token-file' as const,
                path: values['git-password-file'],
                username: values['git-username'],
              },
            }),
        ...(values['git-ca-file'] === '' ? {} : { ca: { file: values['git-ca-file'] } }),
        ...sshAccess(values, cluster, log),
      });
      closing.push(() => repo.close());
      for (const message of readableTokens(values)) log.warn({}, shown(message));
      const fileReader = createThreadedReader({
        entry: new URL('../../agent/reader/file-thread.js', import.meta.url),
        areaOf: (path) => areaOf(path, own),
        ...(own.limits ? { limits: own.limits } : {}),
      });
      closing.push(() => fileReader.close());
      const tools = findTools(values, context.environment, capabilities);
      closing.push(() => closeTools(tools));
      opened.push({
        name,
        repo,
        remote: remoteOf(values),
        settings: own,
        fileReader,
        tools,
      });
    }
    const registry = registries.client;
    const clouds = registries.identity;
    const mailer = createMailer({ addresses });
    const deps: Deps = { clock, log, http, mailer, cluster, registry, clouds, sources: opened, telemetry, settings };
    let agent: Agent | undefined;
    // First, so that an agent that is not wanted here has done nothing yet.
    const server = await startServer({
      port: raw['port'] ?? 0,
      registry: telemetry.registry,
      notReady: () => agent?.notReady() ?? ['starting'],
      notes: () => agent?.notes() ?? [],
      notAlive: () => agent?.notAlive() ?? [],
      log,
    });
    closing.push(() => server.close());
    const running = startAgent(deps);
    agent = running;
    closing.push(() => running.stop());
    onListening?.(server.port);
    const gatePort = raw['gate-port'];
    if (gatePort !== undefined) {
      const tokenFile = raw['gate-token-file'];
      const readTokens = async () => parseGateTokens(await readText('--gate-token-file', tokenFile));
      const gateServer = await startGateServer({
        port: gatePort,
        gates: running.gates,
        ...(tokenFile === '' ? {} : { tokens: readTokens }),
        log,
      });
      log.info({ port: gateServer.port }, `Gates can be asked for on port ${gateServer.port}`);
      closing.push(() => gateServer.close());
    }
    const hookPort = raw['hook-port'];
    if (hookPort !== undefined) {
      if (raw['hook-token-file'] === '')
        throw new AgentError('CONFIG_INVALID', '--hook-port: name a file with tokens by --hook-token-file');
      const hookServer = await startHookServer({
        port: hookPort,
        tokens: async () => linesOf(await readText('--hook-token-file', raw['hook-token-file'])),
        look: (image) => running.imagePushed(image),
        log,
      });
      log.info({ port: hookServer.port }, `Registries can tell of new images on port ${hookServer.port}`);
      closing.push(() => hookServer.close());
    }
    if (ui) {
      const entry = new URL('../../ui/thread.js', import.meta.url);
      const dashboard = await openUi({ agent: running.dashboard, settings: ui, entry, clock, log });
      log.info({ port: dashboard.port }, `The dashboard is open on port ${dashboard.port ?? ''}`);
      closing.push(() => dashboard.close());
    }
    await new Promise<void>((resolve) => {
      if (context.signal.aborted) resolve();
      else context.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    log.info({}, 'Shutting down');
    return exitCodes.done;
  } finally {
    for (const close of closing.reverse()) {
      await close().catch((error: unknown) =>
        log.warn({ reason: messageOf(error) }, 'something did not close cleanly'),
      );
    }
    if (temporary) await rm(temporary, { recursive: true, force: true });
  }
}

/** Lines that say something: neither empty nor a comment. */
const linesOf = (text: string): readonly string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));

/** Settings by which a token goes where everybody on the way can read it. */
export function readableTokens(raw: Settings): readonly string[] {
  const said = (setting: string, what: string): string =>
    `--${setting} is plain HTTP: everybody on the way can read ${what}; use https`;
  const hasGitToken = raw['git-password-file'] !== '' || /^[^/]*\/\/[^/]*@/.test(raw['git-url']);
  return [
    ...(hasGitToken && isReadable(raw['git-url'])
      ? [said('git-url', 'the password or token for Git, and push with it')]
      : []),
    ...(raw['slack-token'] !== '' && isReadable(raw['slack-url']) ? [said('slack-url', 'the token for it')] : []),
  ];
}

/** Undefined: it is not written down here. */
async function podNamespace(): Promise<string | undefined> {
  const path = '/var/run/secrets/kubernetes.io/serviceaccount/namespace';
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.trim() || undefined;
}

function proxyOf(environment: Readonly<Record<string, string | undefined>>): {
  proxy?: { http?: string; https?: string; none?: string };
} {
  const http = environment['HTTP_PROXY'] ?? environment['http_proxy'];
  const https = environment['HTTPS_PROXY'] ?? environment['https_proxy'];
  const none = environment['NO_PROXY'] ?? environment['no_proxy'];
  return { proxy: { ...(http ? { http } : {}), ...(https ? { https } : {}), ...(none ? { none } : {}) } };
}

async function readText(name: string, path: string): Promise<string> {
  return readFile(path, 'utf8').catch((cause: unknown) => {
    throw new AgentError('CONFIG_INVALID', `${name}: ${path} cannot be read: ${messageOf(cause)}`, { cause });
  });
}
