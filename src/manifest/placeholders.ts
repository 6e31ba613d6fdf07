import { isFields, type Fields } from './checks/finding.ts';
import { groupOf } from './types.ts';

/** Something in an object that was meant to be filled in before it is applied. */
export interface Placeholder {
  /** As it is written, without the default that may follow its name: that may be a secret. */
  readonly text: string;
  /** `spec.template.spec.containers[0].image`. */
  readonly field: string;
  readonly kind: 'variable' | 'template';
}

export interface Placeholders {
  /** The first that would do harm as it stands. */
  readonly open: Placeholder | undefined;
  /** The first that is escaped for Flux, `$${NAME}`: it is applied as it stands. */
  readonly escaped: Placeholder | undefined;
}

/** `${NAME}` and what may follow the name in a shell or in Flux's postBuild; not `${env:NAME}`, `${a.b}`, `${1}`, `${{ … }}`. */
const variable = /(\$?)\$\{([A-Za-z_]\w{0,200})(?=\}|:?[-=+?]|:[ 0-9]|[/#%^,])[^}\n]{0,300}\}/g;
const optOut = 'kustomize.toolkit.fluxcd.io/substitute';

/** Kinds whose fields have `${NAME}` of their own. */
const ownLanguage = new Set([
  'apiextensions.k8s.io',
  'camel.apache.org',
  'fluentbit.fluent.io',
  'grafana.integreatly.org',
  'kro.run',
  'logging.banzaicloud.io',
  'opentelemetry.io',
]);
/** Fields that hold a script, or groups of a regular expression. */
const scripts = new Set(['cmd', 'script', 'replacement', 'last-applied-configuration']);
const shell = /(?:^|\/)(?:ba|da|a|k|z|c|fi)?sh$|^-\w*c$/;
const workloads = new Set(['', 'apps', 'batch']);

/** Whether a text can hold one at all: quicker than to look at each value. */
export const mayHoldPlaceholders = (text: string): boolean => text.includes('${') || text.includes('{{');

/**
 * Looks for what nobody fills in here. Left alone is what may well be meant: several lines (scripts, files), commands of a shell, a part of a
 * ConfigMap's or Secret's value (its whole value is a placeholder), and objects that are annotated so for Flux.
 */
export function placeholdersIn(object: Fields): Placeholders {
  const { apiVersion, kind, metadata } = object;
  const group = groupOf(String(apiVersion));
  let open: Placeholder | undefined;
  let escaped: Placeholder | undefined;
  const isConfig = group === '' && (kind === 'ConfigMap' || kind === 'Secret');
  const isOff = ['annotations', 'labels'].some((member) => {
    const texts = isFields(metadata) ? metadata[member] : undefined;
    return isFields(texts) && texts[optOut] === 'disabled';
  });

  const look = (text: string, field: string, isWholeOnly: boolean): void => {
    for (const match of text.matchAll(variable)) {
      const [written, escape = '', name = ''] = match;
      const found: Placeholder = { text: `${escape}\${${name}}`, field, kind: 'variable' };
      if (escape !== '') escaped ??= found;
      else if (!isWholeOnly || text.trim() === written) open ??= found;
    }
  };
  const walk = (value: unknown, field: string, key: string, isConfigValue: boolean): void => {
    if (open) return;
    if (typeof value === 'string') {
      if (scripts.has(key) || key.endsWith('snippet')) return;
      const isImage = key === 'image' && workloads.has(group);
      if (isImage && value.includes('{{')) open ??= { text: '{{ }}', field, kind: 'template' };
      look(value, field, isConfigValue || value.trimEnd().includes('\n'));
    } else if (Array.isArray(value)) {
      value.forEach((item: unknown, index) => walk(item, `${field}[${index}]`, key, isConfigValue));
    } else if (isFields(value)) {
      const isShell = ['command', 'args'].some((name) => isScript(value[name]));
      for (const [name, member] of Object.entries(value)) {
        if (isShell && (name === 'command' || name === 'args')) continue;
        const place = field === '' ? name : `${field}.${name}`;
        if (!isConfigValue) look(name, field, false);
        walk(member, place, lastPart(name), isConfigValue);
      }
    }
  };
  if (isOff || ownLanguage.has(group)) return { open, escaped };
  for (const [name, member] of Object.entries(object)) {
    if (kind === 'Secret' && isConfig && name === 'data') continue;
    walk(member, name, name, isConfig && name !== 'metadata');
  }
  return { open, escaped };
}

const isScript = (list: unknown): boolean =>
  Array.isArray(list) && list.some((item: unknown) => typeof item === 'string' && shell.test(item.slice(-300)));

const lastPart = (name: string): string => name.slice(name.lastIndexOf('/') + 1);
