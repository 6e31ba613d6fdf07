import { isRecord } from '../lib/json.ts';
import { own } from '../lib/own.ts';

/** A chart that a kustomization names in `helmCharts`. */
export interface KustomizedChart {
  /** Where kustomize looks for it, from the repository's root. */
  readonly folder: string;
  readonly name: string;
  /** Undefined: any. */
  readonly version: string | undefined;
  /** Where it comes from when the folder is not there. Undefined: from nowhere. */
  readonly repo: string | undefined;
  /** It says itself what the cluster is. */
  readonly saysCapabilities: boolean;
}

export interface KustomizedCharts {
  readonly charts: readonly KustomizedChart[];
  /** Files of values, as they are written: from the folder of the kustomization. */
  readonly valuesFiles: readonly unknown[];
}

type Fields = Readonly<Record<string, unknown>>;

/** By name, what the value has to be. All of it becomes an argument of Helm, so nothing else is let through. */
const forms: Readonly<Record<string, (value: unknown) => boolean>> = {
  name: (value) => isText(value) && /^[A-Za-z0-9][\w./-]*$/.test(value) && !value.includes('..'),
  version: (value) => isText(value) && /^[\w.*<>=~^][\w.*+<>=~^|, -]*$/.test(value),
  repo: (value) => isText(value) && /^(?:https?|oci):\/\/[^\s@]+$/.test(value),
  releaseName: (value) => isText(value) && /^[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?$/.test(value),
  namespace: (value) => isText(value) && /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/.test(value),
  kubeVersion: (value) => isText(value) && /^v?\d[\w.+-]*$/.test(value),
  apiVersions: (value) => Array.isArray(value) && value.every((one) => isText(one) && /^[A-Za-z][\w./-]*$/.test(one)),
  valuesFile: isText,
  additionalValuesFiles: (value) => Array.isArray(value) && value.every(isText),
  valuesInline: isRecord,
  valuesMerge: (value) => value === 'merge' || value === 'override' || value === 'replace',
  includeCRDs: (value) => typeof value === 'boolean',
  skipHooks: (value) => typeof value === 'boolean',
  skipTests: (value) => typeof value === 'boolean',
};
const mostCharts = 50;

/** A text says why they are not rendered. */
export function kustomizedCharts(
  fields: Fields,
  below: (name: string) => string | undefined,
): KustomizedCharts | string {
  const { helmCharts: entries, helmGlobals: globals = {} } = fields;
  if (entries === undefined || entries === null) return { charts: [], valuesFiles: [] };
  if (!Array.isArray(entries) || entries.length > mostCharts)
    return `helmCharts is no list of at most ${mostCharts} charts`;
  if (!isRecord(globals)) return 'helmGlobals is no map';
  const strange = Object.keys(globals).find((name) => name !== 'chartHome');
  // Credentials and plug-ins would come from there.
  if (strange !== undefined) return `helmGlobals.${strange.slice(0, 60)}`;
  const { chartHome = 'charts' } = globals;
  const home = typeof chartHome === 'string' && !chartHome.startsWith('/') ? below(chartHome) : undefined;
  if (home === undefined) return 'helmGlobals.chartHome, which is not in the repository';
  const charts: KustomizedChart[] = [];
  const valuesFiles: unknown[] = [];
  for (const [at, entry] of entries.entries()) {
    const chart = isRecord(entry) ? chartOf(entry, home, `helmCharts[${at}]`) : `helmCharts[${at}], which is no map`;
    if (typeof chart === 'string') return chart;
    charts.push(chart);
    const { valuesFile, additionalValuesFiles } = entry as Fields;
    valuesFiles.push(...[valuesFile ?? []].flat(), ...((additionalValuesFiles ?? []) as readonly unknown[]));
  }
  return { charts, valuesFiles };
}

function chartOf(entry: Fields, home: string, place: string): KustomizedChart | string {
  for (const [field, value] of Object.entries(entry)) {
    const check = own(forms, field);
    if (!check) return `${place}.${field.slice(0, 60)}`;
    if (!check(value)) return `${place}.${field}, which cannot be read`;
  }
  const { name, version, repo, releaseName, kubeVersion, apiVersions } = entry;
  if (!isText(name)) return `${place}.name, which is missing`;
  // Helm would make up another one each time.
  if (!isText(releaseName)) return `${place}.releaseName, which is missing`;
  const versioned = isText(version) && isText(repo) ? `${name}-${version}` : undefined;
  return {
    folder: [home, versioned, name].filter((part) => part !== undefined && part !== '').join('/'),
    name,
    version: isText(version) ? version : undefined,
    repo: isText(repo) ? repo : undefined,
    saysCapabilities: kubeVersion !== undefined || apiVersions !== undefined,
  };
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
