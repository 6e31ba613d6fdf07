import { isList, isObject } from '../manifest/edit-value.ts';
import { type Fields, Unusable } from './described.ts';

const mostDepth = 64;
const mostLength = 1_000_000;

/**
 * The template of an ApplicationSet with its parameters filled in: `{{path.basename}}`, or of Go templates `{{ .path.basename }}` and
 * `{{ index .path.segments 1 }}`. Throws Unusable at whatever else stands there.
 */
export function filledTemplate(template: unknown, parameters: Fields, isGo: boolean): unknown {
  const known = isGo ? undefined : flattened(parameters);
  let length = 0;
  const fill = (text: string): string => {
    if (!text.includes('{{')) return text;
    const filled = known ? filledFlat(text, known) : filledGo(text, parameters);
    length += filled.length;
    if (length > mostLength) throw new Unusable('its Applications are too large');
    return filled;
  };
  const walk = (value: unknown, depth: number): unknown => {
    if (depth > mostDepth) throw new Unusable('spec.template is nested too deeply');
    if (typeof value === 'string') return fill(value);
    if (isList(value)) return value.map((one) => walk(one, depth + 1));
    if (!isObject(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [fill(key), walk(one, depth + 1)]));
  };
  return walk(template, 0);
}

function filledFlat(text: string, known: ReadonlyMap<string, string>): string {
  return text.replaceAll(/\{\{([^{}]*)\}\}/g, (_, inner: string) => {
    const name = inner.trim();
    const value = known.get(name);
    // It would go on into the Application as it is written.
    if (value === undefined) throw new Unusable(`spec.template: no generator says {{${name.slice(0, 60)}}}`);
    return value;
  });
}

/** `{a: {b: c}}` as `a.b`. */
function flattened(parameters: Fields): ReadonlyMap<string, string> {
  const known = new Map<string, string>();
  const add = (value: unknown, name: string, depth: number): void => {
    if (depth > mostDepth) return;
    if (isObject(value))
      for (const [key, one] of Object.entries(value)) add(one, name === '' ? key : `${name}.${key}`, depth + 1);
    else if (isList(value)) for (const [at, one] of value.entries()) add(one, `${name}[${at}]`, depth + 1);
    else if (value !== null && value !== undefined) known.set(name, String(value as string | number | boolean));
  };
  add(parameters, '', 0);
  return known;
}

function filledGo(text: string, parameters: Fields): string {
  return text.replaceAll(/\{\{-?([^{}]*)-?\}\}/g, (whole, inner: string) => {
    const shown = inner.trim().slice(0, 60);
    if (whole.startsWith('{{-') || whole.endsWith('-}}')) throw new Unusable(`spec.template: {{- -}} is not followed`);
    const [, field] = /^\.([\w.]+)$/.exec(inner.trim()) ?? [];
    const [, list, at] = /^index \.([\w.]+) (\d+)$/.exec(inner.trim()) ?? [];
    const path = field ?? list;
    if (path === undefined)
      throw new Unusable(`spec.template: {{ ${shown} }} is not followed: {{ .name }} and {{ index .list 0 }} are`);
    let value: unknown = parameters;
    for (const name of path.split('.')) value = isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
    if (at !== undefined) value = isList(value) ? value[Number(at)] : undefined;
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean')
      throw new Unusable(`spec.template: no generator says {{ ${shown} }}`);
    return String(value);
  });
}
