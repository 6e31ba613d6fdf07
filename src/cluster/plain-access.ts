import { readFileSync } from 'node:fs';
import type { RequestOptions } from 'node:https';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import type { ClusterSource } from './source.ts';

/** What is needed of a kubeconfig; @kubernetes/client-node's KubeConfig has it, too. */
export interface Access {
  getCurrentCluster(): {
    readonly server: string;
    readonly tlsServerName?: string;
    readonly skipTLSVerify?: boolean;
  } | null;
  /** What there is to choose from, for messages; absent where that is not known. */
  getContexts?(): readonly { readonly name: string }[];
  /** Adds authorities, certificates and headers, read anew. */
  applyToHTTPSOptions(options: RequestOptions): Promise<void>;
}

interface Named {
  readonly name?: unknown;
}
type Fields = Readonly<Record<string, unknown>>;

const clusterFields = [
  'server',
  'certificate-authority',
  'certificate-authority-data',
  'insecure-skip-tls-verify',
  'tls-server-name',
  'extensions',
];
const userFields = [
  'client-certificate',
  'client-certificate-data',
  'client-key',
  'client-key-data',
  'token',
  'tokenFile',
  'extensions',
];
const account = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * Certificates and tokens, as pods and most kubeconfigs have them. Undefined for everything else (plugins, identity providers, several
 * files, whatever looks odd): that is for @kubernetes/client-node, whose sources alone take 45 MB for as long as the agent runs.
 */
export function plainAccess(source: ClusterSource): Access | undefined {
  if (source.kind === 'service-account') {
    const cluster = { server: source.server, 'certificate-authority': `${account}/ca.crt` };
    return accessOf(cluster, { tokenFile: `${account}/token` }, '/');
  }
  if (source.kind !== 'file' && source.kind !== 'text') return undefined;
  try {
    const text = source.kind === 'text' ? source.text : readFileSync(source.path, 'utf8');
    const given = fieldsOf(parse(text));
    const wanted = (source.kind === 'file' ? source.context : undefined) ?? given['current-context'];
    const context = entry(given['contexts'], wanted, 'context');
    const cluster = entry(given['clusters'], context?.['cluster'], 'cluster');
    const user = entry(given['users'], context?.['user'], 'user');
    if (!cluster || !user || !isPlain(cluster, clusterFields) || !isPlain(user, userFields)) return undefined;
    return accessOf(cluster, user, source.kind === 'file' ? dirname(resolve(source.path)) : '');
  } catch {
    // What is wrong with it is the library's to say.
    return undefined;
  }
}

function accessOf(cluster: Fields, user: Fields, folder: string): Access | undefined {
  const { server, 'tls-server-name': tlsServerName, 'insecure-skip-tls-verify': skipTLSVerify } = cluster;
  if (typeof server !== 'string' || server === '') return undefined;
  /** The data, or else the content of the file. */
  const content = (fields: Fields, name: string): Buffer | undefined => {
    const data = fields[`${name}-data`];
    if (typeof data === 'string' && data !== '') return Buffer.from(data, 'base64');
    const path = fields[name];
    return typeof path === 'string' && path !== '' ? readFileSync(resolve(folder, path)) : undefined;
  };
  return {
    getCurrentCluster: () => ({
      server,
      ...(typeof tlsServerName === 'string' ? { tlsServerName } : {}),
      ...(skipTLSVerify === true ? { skipTLSVerify } : {}),
    }),
    async applyToHTTPSOptions(options) {
      const ca = content(cluster, 'certificate-authority');
      const cert = content(user, 'client-certificate');
      const key = content(user, 'client-key');
      if (ca) options.ca = ca;
      if (cert) options.cert = cert;
      if (key) options.key = key;
      const { tokenFile, token: written } = user;
      const token = typeof tokenFile === 'string' ? readFileSync(resolve(folder, tokenFile), 'utf8') : written;
      if (typeof token === 'string' && token !== '')
        options.headers = { ...fieldsOf(options.headers), Authorization: `Bearer ${token.trim()}` } as Record<
          string,
          string
        >;
    },
  };
}

const fieldsOf = (value: unknown): Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};

/** The entry of that name in one of a kubeconfig's lists. */
function entry(list: unknown, name: unknown, field: string): Fields | undefined {
  const found = Array.isArray(list) ? (list as readonly Named[]).filter((each) => each?.name === name) : [];
  const value = found.length === 1 && typeof name === 'string' ? (found[0] as Fields)[field] : undefined;
  return typeof value === 'object' && value !== null ? (value as Fields) : undefined;
}

function isPlain(fields: Fields, known: readonly string[]): boolean {
  return Object.keys(fields).every((field) => known.includes(field));
}
