import { badRequest } from './failure.ts';
import type { Json } from './json.ts';
import { asArray, asObject, asString, isObject, objectsIn } from './json.ts';

type Labels = Readonly<Record<string, unknown>>;

/** A LabelSelector object (matchLabels, matchExpressions) against labels. */
export function matchesSelector(selector: Json, labels: Labels): boolean {
  const byLabel = Object.entries(asObject(selector.matchLabels)).every(([key, value]) => labels[key] === value);
  return (
    byLabel &&
    objectsIn(selector.matchExpressions).every((requirement) => {
      const value = labels[asString(requirement.key)];
      const values = asArray(requirement.values);
      switch (requirement.operator) {
        case 'In':
          return value !== undefined && values.includes(value);
        case 'NotIn':
          return value === undefined || !values.includes(value);
        case 'Exists':
          return value !== undefined;
        default:
          return value === undefined;
      }
    })
  );
}

export type ObjectTest = (object: Json) => boolean;

const requirement =
  /^\s*(?:(!)\s*([^\s!=,()]+)|([^\s!=,()]+)\s+(in|notin)\s*\(([^)]*)\)|([^\s!=,()]+)\s*(==|!=|=)\s*([^\s,()]*)|([^\s!=,()]+))\s*(?:,|$)/;

/** `app=web,tier in (a,b),!old` as a test of an object's labels. */
export function parseLabelSelector(text: string): ObjectTest {
  const tests: ((labels: Labels) => boolean)[] = [];
  let rest = text.trim();
  while (rest !== '') {
    const match = requirement.exec(rest);
    if (!match) throw badRequest(`unable to parse requirement: found '${rest}', expected: a label selector`);
    rest = rest.slice(match[0].length);
    const [, not, absent, setKey, word, set, key, operator, value, present] = match;
    if (not && absent !== undefined) tests.push((labels) => labels[absent] === undefined);
    else if (setKey !== undefined) {
      const values = (set ?? '').split(',').map((member) => member.trim());
      tests.push(
        word === 'in'
          ? (labels) => values.includes(asString(labels[setKey] ?? '\0'))
          : (labels) => !values.includes(asString(labels[setKey] ?? '\0')),
      );
    } else if (key !== undefined) {
      tests.push(operator === '!=' ? (labels) => labels[key] !== value : (labels) => labels[key] === value);
    } else if (present !== undefined) tests.push((labels) => labels[present] !== undefined);
  }
  return (object) => {
    const labels = asObject(asObject(object.metadata).labels);
    return tests.every((test) => test(labels));
  };
}

/** Beyond metadata.name and metadata.namespace, what each kind lets itself be asked for. Absent fields count as empty. */
const selectable: Readonly<Record<string, readonly string[]>> = {
  '/pods': [
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'spec.hostNetwork',
    'status.phase',
    'status.podIP',
    'status.nominatedNodeName',
  ],
  '/events': [
    'involvedObject.kind',
    'involvedObject.namespace',
    'involvedObject.name',
    'involvedObject.uid',
    'involvedObject.apiVersion',
    'involvedObject.resourceVersion',
    'involvedObject.fieldPath',
    'regarding.kind',
    'regarding.namespace',
    'regarding.name',
    'regarding.uid',
    'reason',
    'reportingComponent',
    'source',
    'type',
  ],
  '/secrets': ['type'],
  '/namespaces': ['status.phase'],
  '/nodes': ['spec.unschedulable'],
  '/services': ['spec.clusterIP', 'spec.type'],
  'apps/replicasets': ['status.replicas'],
};

/** Kinds without selectable fields of their own say so in other words. */
const unconverted: ReadonlySet<string> = new Set(['/configmaps', '/serviceaccounts', '/endpoints', 'apps/deployments']);

/** `metadata.name=web,status.phase!=Running` as a test of a stored object. */
export function parseFieldSelector(text: string, storage: string): ObjectTest {
  const tests: ObjectTest[] = [];
  for (const part of text.split(',').filter((piece) => piece.trim() !== '')) {
    const match = /^\s*([^=!\s]+)\s*(==|!=|=)\s*(.*?)\s*$/.exec(part);
    const [, field = '', operator, value = ''] = match ?? [];
    if (!match) throw badRequest(`invalid selector: '${part}'; can't understand '${part}'`);
    if (field !== 'metadata.name' && field !== 'metadata.namespace' && !selectable[storage]?.includes(field)) {
      throw badRequest(
        storage in selectable || !unconverted.has(storage)
          ? `field label not supported: ${field}`
          : `"${field}" is not a known field selector: only "metadata.name", "metadata.namespace"`,
      );
    }
    const path = field.replace(/^regarding\./, 'involvedObject.').split('.');
    tests.push((object) => {
      let found: unknown = object;
      for (const step of path) found = isObject(found) ? found[step] : undefined;
      if (field === 'source') found = asObject(object.source).component;
      const has = typeof found === 'object' || found === undefined ? '' : String(found as string | number | boolean);
      return (has === value) === (operator !== '!=');
    });
  }
  return (object) => tests.every((test) => test(object));
}
