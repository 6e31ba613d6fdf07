import { readFile } from 'node:fs/promises';
import { AgentError, messageOf } from '../lib/errors.ts';

/** What a settings file holds. */
export interface SettingsFile {
  readonly values: Readonly<Record<string, string>>;
  /** As it was written; undefined where the file has none. */
  readonly tenants: unknown;
  /** Likewise. */
  readonly sources: unknown;
}

/** Reads a settings file: flat YAML, the same names as the flags; and `tenants` and `sources`, lists. */
export async function readSettingsFile(path: string | undefined): Promise<SettingsFile> {
  if (path === undefined) return { values: {}, tenants: undefined, sources: undefined };
  const { parse } = await import('yaml');
  try {
    const value = (parse(await readFile(path, 'utf8')) ?? {}) as unknown;
    if (typeof value !== 'object' || Array.isArray(value) || value === null)
      throw new Error('it is no map of settings');
    const { tenants, sources, ...flat } = value as Record<string, string | readonly string[] | undefined>;
    const values = Object.fromEntries(
      Object.entries(flat).map(([name, entry]) => [name, Array.isArray(entry) ? entry.join(',') : String(entry ?? '')]),
    );
    // Written and left empty is not the same as left out: then everybody could say everything.
    return {
      values,
      tenants: 'tenants' in value ? ((tenants as unknown) ?? []) : undefined,
      sources: 'sources' in value ? ((sources as unknown) ?? []) : undefined,
    };
  } catch (cause) {
    throw new AgentError('CONFIG_INVALID', `${path}: ${messageOf(cause)}`, { cause });
  }
}
