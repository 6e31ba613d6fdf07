import type { Json } from '../json.ts';
import { asObject, asString, objectsIn } from '../json.ts';
import { ageOf } from './age.ts';
import type { Cell, Layout } from './columns.ts';
import { layout } from './columns.ts';

const name: Cell = (object) => object.metadata.name;
const age: Cell = (object, nowMs) => ageOf(object.metadata.creationTimestamp, nowMs);
const count = (object: Json, part: 'spec' | 'status', field: string): number =>
  Number(asObject(object[part])[field] ?? 0);

const containers = (object: Json): readonly Json[] =>
  objectsIn(asObject(asObject(asObject(object.spec).template).spec).containers);
const containerNames: Cell = (object) =>
  containers(object)
    .map((container) => asString(container.name))
    .join(',');
const images: Cell = (object) =>
  containers(object)
    .map((container) => asString(container.image))
    .join(',');

export function selectorText(selector: unknown): string {
  const labels = Object.entries(asObject(asObject(selector).matchLabels))
    .map(([key, value]) => `${key}=${String(value)}`)
    .sort((a, b) => (a < b ? -1 : 1));
  const rules = objectsIn(asObject(selector).matchExpressions).map((rule) => {
    const key = asString(rule.key);
    const values = `(${(rule.values as string[] | undefined)?.join(',') ?? ''})`;
    if (rule.operator === 'Exists') return key;
    if (rule.operator === 'DoesNotExist') return `!${key}`;
    return `${key} ${asString(rule.operator).toLowerCase()} ${values}`;
  });
  return [...labels, ...rules].join(',') || '<none>';
}
const selector: Cell = (object) => selectorText(asObject(object.spec).selector);

export const deploymentLayout: Layout = layout({
  Name: name,
  Ready: (object) => `${count(object, 'status', 'readyReplicas')}/${count(object, 'spec', 'replicas')}`,
  'Up-to-date': (object) => count(object, 'status', 'updatedReplicas'),
  Available: (object) => count(object, 'status', 'availableReplicas'),
  Age: age,
  '*Containers': containerNames,
  '*Images': images,
  '*Selector': selector,
});

const jobState: Cell = ({ status, metadata, spec }) => {
  const holding = objectsIn(asObject(status).conditions).filter((condition) => condition.status === 'True');
  const has = (type: string): boolean => holding.some((condition) => condition.type === type);
  if (has('Complete')) return 'Complete';
  if (has('Failed')) return 'Failed';
  if (metadata.deletionTimestamp !== undefined) return 'Terminating';
  if (asObject(spec).suspend === true) return 'Suspended';
  return 'Running';
};

const jobCompletions: Cell = (object) => {
  const { completions, parallelism } = asObject(object.spec);
  const done = count(object, 'status', 'succeeded');
  if (typeof completions === 'number') return `${done}/${completions}`;
  return typeof parallelism === 'number' && parallelism > 1 ? `${done}/1 of ${parallelism}` : `${done}/1`;
};

const jobDuration: Cell = ({ status }, nowMs) => {
  const { startTime, completionTime } = asObject(status);
  if (typeof startTime !== 'string') return '';
  return ageOf(startTime, typeof completionTime === 'string' ? Date.parse(completionTime) : nowMs);
};

export const jobLayout: Layout = layout({
  Name: name,
  Status: jobState,
  Completions: jobCompletions,
  Duration: jobDuration,
  Age: age,
  '*Containers': containerNames,
  '*Images': images,
  '*Selector': selector,
});

const ofTemplate =
  (cell: Cell): Cell =>
  (object, nowMs) =>
    cell({ ...object, spec: asObject(asObject(object.spec).jobTemplate).spec }, nowMs);

export const cronJobLayout: Layout = layout({
  Name: name,
  Schedule: (object) => asString(asObject(object.spec).schedule),
  Timezone: (object) => asString(asObject(object.spec).timeZone) || '<none>',
  Suspend: (object) => (asObject(object.spec).suspend === true ? 'True' : 'False'),
  '#Active': (object) => objectsIn(asObject(object.status).active).length,
  'Last Schedule': (object, nowMs) => {
    const last = asObject(object.status).lastScheduleTime;
    return typeof last === 'string' ? ageOf(last, nowMs) : '<none>';
  },
  Age: age,
  '*Containers': ofTemplate(containerNames),
  '*Images': ofTemplate(images),
  '*Selector': () => '<none>',
});

export const statefulSetLayout: Layout = layout({
  Name: name,
  Ready: (object) => `${count(object, 'status', 'readyReplicas')}/${count(object, 'spec', 'replicas')}`,
  Age: age,
  '*Containers': containerNames,
  '*Images': images,
});

export const replicaSetLayout: Layout = layout({
  Name: name,
  '#Desired': (object) => count(object, 'spec', 'replicas'),
  '#Current': (object) => count(object, 'status', 'replicas'),
  '#Ready': (object) => count(object, 'status', 'readyReplicas'),
  Age: age,
  '*Containers': containerNames,
  '*Images': images,
  '*Selector': selector,
});

export const daemonSetLayout: Layout = layout({
  Name: name,
  '#Desired': (object) => count(object, 'status', 'desiredNumberScheduled'),
  '#Current': (object) => count(object, 'status', 'currentNumberScheduled'),
  '#Ready': (object) => count(object, 'status', 'numberReady'),
  '#Up-to-date': (object) => count(object, 'status', 'updatedNumberScheduled'),
  '#Available': (object) => count(object, 'status', 'numberAvailable'),
  'Node Selector': (object) => {
    const wanted = asObject(asObject(asObject(asObject(object.spec).template).spec).nodeSelector);
    return (
      Object.entries(wanted)
        .map(([key, value]) => `${key}=${String(value)}`)
        .join(',') || '<none>'
    );
  },
  Age: age,
  '*Containers': containerNames,
  '*Images': images,
  '*Selector': selector,
});

function targets(object: Json): string {
  const metrics = objectsIn(asObject(object.spec).metrics);
  return (
    metrics
      .map((metric) => {
        const source = asObject(metric.resource);
        const target = asObject(source.target);
        const wanted =
          target.averageUtilization === undefined
            ? asString(target.averageValue)
            : `${String(target.averageUtilization as number)}%`;
        return `${asString(source.name) || asString(metric.type)}: <unknown>/${wanted}`;
      })
      .join(', ') || '<none>'
  );
}

export const autoscalerLayout: Layout = layout({
  Name: name,
  Reference: (object) => {
    const target = asObject(asObject(object.spec).scaleTargetRef);
    return `${asString(target.kind)}/${asString(target.name)}`;
  },
  Targets: targets,
  MinPods: (object) => String(count(object, 'spec', 'minReplicas')),
  MaxPods: (object) => String(count(object, 'spec', 'maxReplicas')),
  Replicas: (object) => count(object, 'status', 'currentReplicas'),
  Age: age,
});

export const budgetLayout: Layout = layout({
  Name: name,
  'Min Available': (object) => String((asObject(object.spec).minAvailable as number | string | undefined) ?? 'N/A'),
  'Max Unavailable': (object) => String((asObject(object.spec).maxUnavailable as number | string | undefined) ?? 'N/A'),
  '#Allowed Disruptions': (object) => count(object, 'status', 'disruptionsAllowed'),
  Age: age,
});
