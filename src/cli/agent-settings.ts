import type { AgentSettings, WholeSettings } from '../agent/deps.ts';
import type { Settings } from '../config/settings.ts';
import { readTenants } from '../config/tenants.ts';
import { AgentError } from '../lib/errors.ts';
import { own } from '../lib/own.ts';
import { MiB } from '../manifest/limits.ts';
import { createTenancy } from '../manifest/tenancy.ts';
import { defaultRouterSettings } from '../routers/registry.ts';
import type { RouterSettings } from '../routers/router.ts';
import { ownPlatform } from './own-platform.ts';
import { version } from '../lib/version.ts';

/** What settings say that is more than text, and what only the machine knows. */
export interface Surroundings {
  /** `tenants` of the settings file; undefined: there are none. */
  readonly tenants?: unknown;
  /** Namespace of the pod that the agent runs in. Absent: it runs elsewhere. */
  readonly podNamespace?: string | undefined;
}

/** The settings as the agent takes them. Throws CONFIG_INVALID. */
export function agentSettings(raw: Settings, { tenants, podNamespace: pod }: Surroundings = {}): WholeSettings {
  const path = folderOf('git-path', raw['git-path']);
  const namespaces = [...new Set([raw['agent-namespace'], ...(pod === undefined ? [] : [pod])])];
  const own = { namespaces, isShared: namespaces.includes(raw['namespace']) };
  return {
    namespace: raw['agent-namespace'],
    defaultNamespace: raw['default-namespace'],
    path,
    ...(raw['sync-own-namespace'] ? {} : { own }),
    ...(tenants === undefined ? {} : { tenancy: createTenancy(readTenants(tenants, path)) }),
    limits: {
      fileBytes: bytesOf(raw['max-file-size']),
      objectLength: bytesOf(raw['max-object-size']),
      treeBytes: bytesOf(raw['max-tree-size']),
    },
    ledgerDir: folderOf('ledger-dir', raw['ledger-dir']) || '.releases',
    write: raw['write'],
    ...namedRepository(raw['git-url'], raw['git-branch']),
    imageUpdates: raw['image-updates'],
    imageIntervalMs: raw['image-interval'],
    imagePlatforms: raw['image-platforms'].length === 0 ? [ownPlatform] : raw['image-platforms'],
    tagPrefix: raw['tag-prefix'],
    author: { name: raw['git-author-name'], email: raw['git-author-email'] },
    clusterName: raw['cluster-name'],
    ...(raw['ui-url'] === '' ? {} : { uiUrl: raw['ui-url'] }),
    version,
    pollIntervalMs: raw['git-poll-interval'],
    resyncSchedule: raw['resync-schedule'],
    prune: raw['prune'],
    pruneAnything: raw['prune-anything'],
    suspend: raw['suspend'],
    provider: raw['mesh-provider'],
    metricsServer: raw['metrics-server'],
    minIntervalMs: raw['min-interval'],
    ...(raw['rollback-window'] === 0 ? {} : { rollbackWindowMs: raw['rollback-window'] }),
    inconclusive: {
      noTraffic: raw['inconclusive-no-traffic'],
      noSeries: raw['inconclusive-no-series'],
      unreachable: raw['inconclusive-unreachable'],
    },
    routing: routingOf(raw),
    selectorLabels: raw['selector-labels'],
    includeLabelPrefix: raw['include-label-prefix'],
    configTracking: raw['enable-config-tracking'],
    eventSource: raw['event-source'],
    noCrossNamespaceRefs: raw['no-cross-namespace-refs'],
    podLogs: raw['pod-logs'],
    gateHost: raw['gate-host'] || `serin.${raw['agent-namespace']}`,
    ...notifierOf(raw),
    ...(raw['namespace'] === '' ? {} : { watchNamespace: raw['namespace'] }),
    ...(raw['event-webhook'] === '' ? {} : { eventWebhook: raw['event-webhook'] }),
  };
}

/** As objects in it may name it. A copy on this machine is named by nobody: whatever they name is it. */
function namedRepository(
  url: string,
  branch: string,
): { readonly repositoryUrl?: string; readonly repositoryBranch?: string } {
  const host = /^(?:[a-z+]+:\/\/)?(?:[^@/]*@)?(\[[^\]]*\]|[^:/]*)/i.exec(url)?.[1] ?? '';
  const isCopy = host === '' || /^(?:localhost|127\..*|\[::1\])$/i.test(host) || url.startsWith('file:');
  return isCopy ? {} : { repositoryUrl: url, repositoryBranch: branch };
}

/** What routers declare is read under the same names. */
function routingOf(raw: Settings): RouterSettings {
  return Object.freeze(
    Object.fromEntries(
      Object.entries(defaultRouterSettings).map(([name, fallback]) => {
        const value = own<unknown>(raw, name);
        return [name, typeof value === 'string' ? value : fallback];
      }),
    ),
  );
}

/** Throws CONFIG_INVALID that names the setting, never its value: the URL is a secret. */
function notifierOf(raw: Settings): Pick<AgentSettings, 'notifier'> {
  const [address, channel, username] = [raw['slack-url'], raw['slack-channel'], raw['slack-user']];
  const teams = raw['msteams-url'];
  if (teams !== '') {
    checkUrl('--msteams-url (SERIN_MSTEAMS_URL, MSTEAMS_URL)', teams);
    const proxy = raw['msteams-proxy-url'];
    return { notifier: { type: 'msteams', address: teams, channel, username, ...(proxy === '' ? {} : { proxy }) } };
  }
  if (address === '') return {};
  checkUrl('--slack-url (SERIN_SLACK_URL, SLACK_URL)', address);
  if (channel === '') throw new AgentError('CONFIG_INVALID', '--slack-channel: it is needed with --slack-url');
  if (username === '') throw new AgentError('CONFIG_INVALID', '--slack-user: it is needed with --slack-url');
  const [token, proxy] = [raw['slack-token'], raw['slack-proxy-url']];
  const more = { ...(token === '' ? {} : { token }), ...(proxy === '' ? {} : { proxy }) };
  return { notifier: { type: 'slack', address, channel, username, ...more } };
}

function checkUrl(setting: string, url: string): void {
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url))
    throw new AgentError('CONFIG_INVALID', `${setting}: it is no http or https URL`);
}

const bytesOf = (mebibytes: number): number => Math.round(mebibytes * MiB);

/** A folder inside the repository as Git spells it: no slash around it, no `.` in it. */
function folderOf(name: string, text: string): string {
  const parts = text.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..'))
    throw new AgentError('CONFIG_INVALID', `--${name} is ${text}; name a folder inside the repository`);
  return parts.join('/');
}
