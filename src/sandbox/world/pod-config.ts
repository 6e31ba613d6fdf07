import type { ConfigSource, Container, EnvVar, KeyRef, Pod, Volume } from './kinds.ts';

/** What a pod takes from ConfigMaps, Secrets and itself. Pure: `ConfigData` looks things up. */
export interface ConfigData {
  readonly configMap: (name: string) => Readonly<Record<string, string>> | undefined;
  /** Decoded. */
  readonly secret: (name: string) => Readonly<Record<string, string>> | undefined;
}

export type Environment =
  | { readonly env: Readonly<Record<string, string>> }
  /** The kubelet's words for what is missing. */
  | { readonly problem: string };

type Kind = 'configmap' | 'secret';

function dataOf(data: ConfigData, kind: Kind, name: string): Readonly<Record<string, string>> | undefined {
  return kind === 'configmap' ? data.configMap(name) : data.secret(name);
}

export function resolveEnvironment(pod: Pod, podIp: string, container: Container, data: ConfigData): Environment {
  const env: Record<string, string> = {};
  for (const { prefix = '', configMapRef, secretRef } of container.envFrom ?? []) {
    const kind = configMapRef ? 'configmap' : 'secret';
    const { name = '', optional } = configMapRef ?? secretRef ?? {};
    const values = dataOf(data, kind, name);
    if (!values && optional !== true) return { problem: `${kind} "${name}" not found` };
    for (const [key, value] of Object.entries(values ?? {})) env[prefix + key] = value;
  }
  for (const variable of container.env ?? []) {
    const found = valueOf(pod, podIp, variable, data);
    if ('problem' in found) return found;
    if (found.value !== undefined) env[variable.name] = expand(found.value, env);
  }
  return { env };
}

type Found = { readonly value: string | undefined } | { readonly problem: string };

function valueOf(pod: Pod, podIp: string, { value, valueFrom }: EnvVar, data: ConfigData): Found {
  if (!valueFrom) return { value: value ?? '' };
  const { configMapKeyRef, secretKeyRef, fieldRef } = valueFrom;
  if (configMapKeyRef) return keyOf(pod, 'configmap', configMapKeyRef, data);
  if (secretKeyRef) return keyOf(pod, 'secret', secretKeyRef, data);
  return { value: fieldRef ? fieldOf(pod, podIp, fieldRef.fieldPath) : '0' };
}

function keyOf(pod: Pod, kind: Kind, { name = '', key, optional }: KeyRef, data: ConfigData): Found {
  const values = dataOf(data, kind, name);
  if (values?.[key] !== undefined) return { value: values[key] };
  if (optional === true) return { value: undefined };
  if (!values) return { problem: `${kind} "${name}" not found` };
  const shown = kind === 'configmap' ? 'ConfigMap' : 'Secret';
  return { problem: `couldn't find key ${key} in ${shown} ${pod.metadata.namespace ?? ''}/${name}` };
}

function fieldOf({ metadata, spec }: Pod, podIp: string, path: string): string {
  const entry = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path);
  if (entry) return (entry[1] === 'labels' ? metadata.labels : metadata.annotations)?.[entry[2] ?? ''] ?? '';
  const fields: Readonly<Record<string, string | undefined>> = {
    'metadata.name': metadata.name,
    'metadata.namespace': metadata.namespace,
    'metadata.uid': metadata.uid,
    'spec.nodeName': spec.nodeName,
    'spec.serviceAccountName': spec.serviceAccountName ?? 'default',
    'status.podIP': podIp,
    'status.podIPs': podIp,
    'status.hostIP': podIp,
  };
  return fields[path] ?? '';
}

/** `$(NAME)` of variables that stand before; `$$(NAME)` stays as `$(NAME)`. */
export function expand(text: string, env: Readonly<Record<string, string>>): string {
  return text.replace(/\$(\$?)\(([^)]+)\)/g, (whole, escaped: string, name: string) =>
    escaped ? `$(${name})` : (env[name] ?? whole),
  );
}

interface Part extends ConfigSource {
  readonly kind: Kind;
  readonly name: string;
}

function partsOf({ configMap, secret, projected }: Volume): readonly Part[] {
  if (configMap) return [{ ...configMap, kind: 'configmap', name: configMap.name ?? '' }];
  if (secret) return [{ ...secret, kind: 'secret', name: secret.secretName ?? '' }];
  return (projected?.sources ?? []).flatMap((source) => [
    ...(source.configMap
      ? [{ ...source.configMap, kind: 'configmap' as const, name: source.configMap.name ?? '' }]
      : []),
    ...(source.secret ? [{ ...source.secret, kind: 'secret' as const, name: source.secret.name ?? '' }] : []),
  ]);
}

/** Why a volume cannot be mounted now; undefined when all can. */
export function missingVolume(pod: Pod, data: ConfigData): string | undefined {
  for (const volume of pod.spec.volumes ?? []) {
    for (const { kind, name, optional, items = [] } of partsOf(volume)) {
      if (optional === true) continue;
      const values = dataOf(data, kind, name);
      const failed = `MountVolume.SetUp failed for volume "${volume.name}"`;
      if (!values) return `${failed} : ${kind} "${name}" not found`;
      const absent = items.some(({ key }) => values[key] === undefined);
      if (absent)
        return `${failed} : ${kind} references non-existent config key: ${items.map(({ key }) => key).join(', ')}`;
    }
  }
  return undefined;
}

/** The content of a file below one of the container's mounts. */
export function readMounted(pod: Pod, container: Container, data: ConfigData, path: string): string | undefined {
  for (const { name, mountPath, subPath } of container.volumeMounts ?? []) {
    const base = mountPath.replace(/\/$/, '');
    const volume = pod.spec.volumes?.find((one) => one.name === name);
    if (!volume || (path !== base && !path.startsWith(`${base}/`))) continue;
    const below = path.slice(base.length + 1);
    const file = [subPath, below].filter(Boolean).join('/');
    for (const part of partsOf(volume)) {
      const key = part.items ? part.items.find((item) => item.path === file)?.key : file;
      const value = key === undefined ? undefined : dataOf(data, part.kind, part.name)?.[key];
      if (value !== undefined) return value;
    }
  }
  return undefined;
}

/** All files of ConfigMaps and Secrets that a container sees, by path. */
export function mountedFiles(pod: Pod, container: Container, data: ConfigData): Readonly<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const { name, mountPath, subPath } of container.volumeMounts ?? []) {
    const volume = pod.spec.volumes?.find((one) => one.name === name);
    const base = mountPath.replace(/\/$/, '');
    for (const part of volume ? partsOf(volume) : []) {
      const values = dataOf(data, part.kind, part.name) ?? {};
      const paths = part.items ?? Object.keys(values).map((key) => ({ key, path: key }));
      for (const { key, path } of paths) {
        const value = values[key];
        if (value === undefined) continue;
        if (subPath === undefined) files[`${base}/${path}`] = value;
        else if (path === subPath) files[base] = value;
        else if (path.startsWith(`${subPath}/`)) files[`${base}/${path.slice(subPath.length + 1)}`] = value;
      }
    }
  }
  return files;
}
