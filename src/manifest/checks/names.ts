import { groupOf, type KubeObject } from '../types.ts';
import type { Finding } from './finding.ts';

const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const serviceName = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const qualified = /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)$/;

/** Names, namespaces, labels and annotation keys, by the rules of the API server. */
export function checkNames(object: KubeObject): readonly Finding[] {
  const { metadata } = object;
  const findings: Finding[] = [];
  const wrongName = nameProblem(object);
  if (wrongName)
    findings.push({ field: 'metadata.name', message: `"${metadata.name}" is no valid name`, hint: wrongName });
  if (metadata.namespace !== undefined && !(label.test(metadata.namespace) && metadata.namespace.length <= 63)) {
    findings.push({
      field: 'metadata.namespace',
      message: `"${metadata.namespace}" is no valid namespace`,
      hint: lowerCase,
    });
  }
  for (const [key, value] of Object.entries(metadata.labels ?? {})) {
    if (!isKey(key)) findings.push({ field: 'metadata.labels', message: `"${key}" is no valid key` });
    if (!isLabelValue(value)) {
      findings.push({
        field: `metadata.labels["${key}"]`,
        message: `"${value}" is no valid label value`,
        hint: labelRule,
      });
    }
  }
  for (const key of Object.keys(metadata.annotations ?? {})) {
    if (!isKey(key)) findings.push({ field: 'metadata.annotations', message: `"${key}" is no valid key` });
  }
  return findings;
}

const lowerCase = 'use small letters, digits and "-", beginning and ending with a letter or digit';
const labelRule = 'at most 63 letters, digits, "-", "_" and ".", beginning and ending with a letter or digit';

function nameProblem({ apiVersion, kind, metadata: { name } }: KubeObject): string | undefined {
  // RBAC allows what can stand in a URL: `system:node`.
  if (groupOf(apiVersion) === 'rbac.authorization.k8s.io')
    return /[/%]/.test(name) ? 'leave out "/" and "%"' : undefined;
  if (apiVersion === 'v1' && kind === 'Service') {
    return serviceName.test(name) && name.length <= 63
      ? undefined
      : `${lowerCase}; a Service begins with a letter and has at most 63`;
  }
  if (apiVersion === 'v1' && kind === 'Namespace') return label.test(name) && name.length <= 63 ? undefined : lowerCase;
  return subdomain.test(name) && name.length <= 253 ? undefined : `${lowerCase}; parts may be joined by "."`;
}

export function isLabelValue(value: unknown): boolean {
  return typeof value === 'string' && (value === '' || (qualified.test(value) && value.length <= 63));
}

function isKey(key: string): boolean {
  const slash = key.indexOf('/');
  const prefix = slash < 0 ? undefined : key.slice(0, slash);
  const name = key.slice(slash + 1);
  return (prefix === undefined || subdomain.test(prefix)) && qualified.test(name) && name.length <= 63;
}
