import type { StoredObject } from '../types.ts';
import { fieldsOf, type Fields, listOf, textOf } from './read.ts';

/** A GRPCRoute as the HTTPRoute that says the same: a method of a service is a path. */
export function asHttpRoute(route: StoredObject): StoredObject {
  const spec = fieldsOf(route.spec);
  const rules = listOf(spec.rules).map((rule) => {
    const { matches } = rule;
    return matches === undefined ? rule : { ...rule, matches: listOf(matches).map(asHttpMatch) };
  });
  return { ...route, spec: { ...spec, rules } };
}

function asHttpMatch({ method, ...match }: Fields): Fields {
  if (method === undefined) return match;
  const asked = fieldsOf(method);
  const [service, name] = [textOf(asked.service), textOf(asked.method)];
  const isPattern = textOf(asked.type) === 'RegularExpression';
  if (!isPattern && service !== '' && name !== '')
    return { ...match, path: { type: 'Exact', value: `/${service}/${name}` } };
  if (!isPattern && service !== '') return { ...match, path: { type: 'PathPrefix', value: `/${service}` } };
  const part = (text: string): string => (text === '' ? '[^/]+' : isPattern ? text : literal(text));
  return { ...match, path: { type: 'RegularExpression', value: `/${part(service)}/${part(name)}` } };
}

function literal(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
