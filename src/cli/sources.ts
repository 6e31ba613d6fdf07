import { join } from 'node:path';
import { type AgentSettings, defaultSource, type WholeSettings } from '../agent/deps.ts';
import type { Settings } from '../config/settings.ts';
import { fieldOf, readSources } from '../config/sources.ts';
import { AgentError } from '../lib/errors.ts';
import { createTenancy, type Tenancy } from '../manifest/tenancy.ts';
import { agentSettings, type Surroundings } from './agent-settings.ts';
import type { SettingsFile } from './settings-file.ts';
import { checkFiles, checkSettings } from './settings-check.ts';

/** A source as the settings say it. */
export interface ConfiguredSource {
  readonly name: string;
  /** All settings as they are for it. */
  readonly values: Settings;
  readonly settings: WholeSettings;
  /** How a setting of it is called where something is wrong with it. */
  readonly shown: (message: string) => string;
}

export interface Configured {
  /** Of the whole agent. */
  readonly settings: AgentSettings;
  readonly sources: readonly ConfiguredSource[];
}

/** The sources that flags, environment and file name. Throws CONFIG_INVALID with all that is wrong with one of them. */
export function configuredSources(
  common: Settings,
  file: Pick<SettingsFile, 'tenants' | 'sources'>,
  surroundings: Omit<Surroundings, 'tenants'> = {},
): Configured {
  if (file.sources === undefined) {
    if (common['git-url'] === '')
      throw new AgentError('CONFIG_INVALID', '--git-url (SERIN_GIT_URL) is missing: name the repository to watch');
    checkSettings(common);
    const settings = agentSettings(common, { ...surroundings, tenants: file.tenants });
    return { settings, sources: [{ name: defaultSource, values: common, settings, shown: (message) => message }] };
  }
  if (file.tenants !== undefined)
    throw new AgentError('CONFIG_INVALID', 'tenants: with sources, write the tenants of each into it');
  checkSettings(common);
  const sources = readSources(file.sources, common).map(({ name, values, tenants }, index): ConfiguredSource => {
    const shown = (message: string): string => inSource(`sources[${index}]`, message);
    const settings = told(shown, () => {
      checkSettings(values);
      return agentSettings(values, { ...surroundings, tenants });
    });
    return { name, values, settings, shown };
  });
  const { tenancy: _ofNone, ...settings } = agentSettings(common, surroundings);
  const tenancy = tenancyOfAll(sources.map((source) => source.settings.tenancy));
  return { settings: { ...settings, ...(tenancy ? { tenancy } : {}) }, sources };
}

/** Likewise of files and folders that are named. */
export async function checkSourceFiles(sources: readonly ConfiguredSource[]): Promise<void> {
  for (const { values, shown } of sources) {
    await checkFiles(values).catch((error: unknown) => {
      throw asTold(error, shown);
    });
  }
}

/** Folder of a source's mirror, under `root`: the folder itself for the source that flags and environment name. */
export const mirrorFolder = (root: string, name: string): string =>
  name === defaultSource ? root : join(root, 'sources', name);

/**
 * Who may refer to what in the cluster, where it cannot be told from which source a Canary comes: namespaces of no tenant are bounded only where
 * all sources have tenants.
 */
function tenancyOfAll(each: readonly (Tenancy | undefined)[]): Tenancy | undefined {
  const known = each.filter((tenancy) => tenancy !== undefined);
  if (known.length === 0) return undefined;
  const all = createTenancy(known.flatMap(({ tenants }) => tenants));
  if (known.length === each.length) return all;
  return {
    ...all,
    mayRefer: (from, to) => all.tenantsOf(from).length === 0 || all.mayRefer(from, to),
  };
}

function inSource(place: string, message: string): string {
  const lines = message.split('\n').map((line) => {
    const named = line.replaceAll(/--([a-z-]+)(?: \(SERIN_[A-Z_]+\))?/g, (flag, name: string) => {
      const field = fieldOf(name);
      return field === undefined ? flag : `${place}.${field}`;
    });
    return named === line ? `${place}: ${line}` : named;
  });
  return lines.join('\n');
}

function told<Result>(shown: (message: string) => string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw asTold(error, shown);
  }
}

const asTold = (error: unknown, shown: (message: string) => string): unknown =>
  error instanceof AgentError && error.code === 'CONFIG_INVALID'
    ? new AgentError('CONFIG_INVALID', shown(error.message), { cause: error })
    : error;
