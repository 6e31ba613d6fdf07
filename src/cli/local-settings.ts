import type { WholeSettings } from '../agent/deps.ts';
import { readSettings, type Settings } from '../config/settings.ts';
import { AgentError } from '../lib/errors.ts';
import { agentSettings } from './agent-settings.ts';
import { readSettingsFile } from './settings-file.ts';
import { checkSettings } from './settings-check.ts';
import { configuredSources } from './sources.ts';

/** What commands take that look at files as the agent would. */
export interface LocalOptions {
  /** The agent's settings file. Absent: its defaults count, and there are no tenants. */
  readonly config?: string;
  /** The root of the repository. Absent: that of the checkout in which the paths stand. */
  readonly root?: string;
  /** The source of the settings file whose settings count. Absent: the only one. */
  readonly source?: string;
  /** As of `serin run`; they win over the file. */
  readonly defaultNamespace?: string;
  readonly meshProvider?: string;
  readonly minInterval?: string;
  readonly kustomize?: string;
  readonly helm?: string;
  readonly sops?: string;
  readonly sopsAgeKeyFile?: string;
  readonly enableHelm?: boolean;
  readonly remoteCharts?: boolean;
  readonly gitPath?: string;
  readonly registryConfigFile?: string;
  readonly registryPlainHttp?: string;
}

/** As the agent would read them from the same file. Throws CONFIG_INVALID. */
export async function localSettings(
  options: LocalOptions,
): Promise<{ readonly settings: WholeSettings; readonly values: Settings }> {
  const { config, source } = options;
  const file = await readSettingsFile(config);
  const flags = {
    'default-namespace': options.defaultNamespace,
    'mesh-provider': options.meshProvider,
    'min-interval': options.minInterval,
    kustomize: options.kustomize,
    helm: options.helm,
    sops: options.sops,
    'sops-age-key-file': options.sopsAgeKeyFile,
    'enable-helm': options.enableHelm ? 'true' : undefined,
    'remote-charts': options.remoteCharts ? 'true' : undefined,
    'git-path': options.gitPath,
    'registry-config-file': options.registryConfigFile,
    'registry-plain-http': options.registryPlainHttp,
  };
  const raw = readSettings({ flags, environment: {}, file: file.values });
  if (file.sources === undefined) {
    if (source !== undefined) throw new AgentError('CONFIG_INVALID', '--source: the settings file names no sources');
    checkSettings(raw);
    return { settings: agentSettings(raw, { tenants: file.tenants }), values: raw };
  }
  const { sources } = configuredSources(raw, file);
  const found = sources.length === 1 && source === undefined ? sources[0] : sources.find(({ name }) => name === source);
  if (found) return found;
  const names = sources.map(({ name }) => name).join(', ');
  throw new AgentError('CONFIG_INVALID', `--source: name the source that these files are of: ${names}`);
}
