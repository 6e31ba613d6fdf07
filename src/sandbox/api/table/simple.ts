import type { Json } from '../json.ts';
import { asObject, asString, objectsIn } from '../json.ts';
import { ageOf } from './age.ts';
import type { Cell, Layout } from './columns.ts';
import { layout } from './columns.ts';

const name: Cell = (object) => object.metadata.name;
const age: Cell = (object, nowMs) => ageOf(object.metadata.creationTimestamp, nowMs);
const createdAt: Cell = (object) => object.metadata.creationTimestamp;
const size = (value: unknown): number => Object.keys(asObject(value)).length;

export const plainLayout: Layout = layout({ Name: name, Age: age });
export const createdLayout: Layout = layout({ Name: name, 'Created At': createdAt });

export const configMapLayout: Layout = layout({
  Name: name,
  Data: (object) => size(object.data) + size(object.binaryData),
  Age: age,
});
export const secretLayout: Layout = layout({
  Name: name,
  Type: (object) => asString(object.type),
  Data: (object) => size(object.data),
  Age: age,
});
export const serviceAccountLayout: Layout = layout({
  Name: name,
  Secrets: (object) => objectsIn(object.secrets).length,
  Age: age,
});
export const namespaceLayout: Layout = layout({
  Name: name,
  Status: (object) => asString(asObject(object.status).phase),
  Age: age,
});
export const leaseLayout: Layout = layout({
  Name: name,
  Holder: (object) => asString(asObject(object.spec).holderIdentity),
  Age: age,
});

const rolePrefix = 'node-role.kubernetes.io/';
const address = (node: Json, type: string): string =>
  asString(objectsIn(asObject(node.status).addresses).find((one) => one.type === type)?.address) || '<none>';
const nodeInfo = (node: Json, field: string): string =>
  asString(asObject(asObject(node.status).nodeInfo)[field]) || '<unknown>';

export const nodeLayout: Layout = layout({
  Name: name,
  Status: (node) => {
    const ready = objectsIn(asObject(node.status).conditions).find((condition) => condition.type === 'Ready');
    const word = ready ? (ready.status === 'True' ? 'Ready' : 'NotReady') : 'Unknown';
    return asObject(node.spec).unschedulable === true ? `${word},SchedulingDisabled` : word;
  },
  Roles: (node) => {
    const labels = Object.keys(node.metadata.labels ?? {});
    return (
      labels
        .filter((key) => key.startsWith(rolePrefix))
        .map((key) => key.slice(rolePrefix.length))
        .join(',') || '<none>'
    );
  },
  Age: age,
  Version: (node) => nodeInfo(node, 'kubeletVersion'),
  '*Internal-IP': (node) => address(node, 'InternalIP'),
  '*External-IP': (node) => address(node, 'ExternalIP'),
  '*OS-Image': (node) => nodeInfo(node, 'osImage'),
  '*Kernel-Version': (node) => nodeInfo(node, 'kernelVersion'),
  '*Container-Runtime': (node) => nodeInfo(node, 'containerRuntimeVersion'),
});

/** When the event was last and first seen, whichever of its fields says so. */
const lastSeen = (event: Json): unknown =>
  asObject(event.series).lastObservedTime ??
  event.lastTimestamp ??
  event.eventTime ??
  asObject(event.metadata).creationTimestamp;
const firstSeen = (event: Json): unknown =>
  event.firstTimestamp ?? event.eventTime ?? asObject(event.metadata).creationTimestamp;

function lastSeenText(event: Json, nowMs: number): string {
  const series = asObject(event.series);
  const count = Number(series.count ?? event.count ?? 1);
  const last = ageOf(lastSeen(event), nowMs);
  return count > 1 && series.count !== undefined ? `${last} (x${count} over ${ageOf(firstSeen(event), nowMs)})` : last;
}

export const eventLayout: Layout = layout({
  'Last Seen': lastSeenText,
  Type: (event) => asString(event.type),
  Reason: (event) => asString(event.reason),
  Object: (event) => {
    const about = asObject(event.involvedObject);
    return `${asString(about.kind).toLowerCase()}/${asString(about.name)}`;
  },
  '*Subobject': (event) => asString(asObject(event.involvedObject).fieldPath),
  '*Source': (event) => {
    const source = asObject(event.source);
    return [
      asString(source.component) || asString(event.reportingComponent),
      asString(source.host) || asString(event.reportingInstance),
    ]
      .filter((part) => part !== '')
      .join(', ');
  },
  Message: (event) => asString(event.message).trim(),
  '*First Seen': (event, nowMs) => ageOf(firstSeen(event), nowMs),
  '*Count': (event) => Number(asObject(event.series).count ?? event.count ?? 1),
  '*Name': name,
});

const subjectNames = (binding: Json, kind: string): string =>
  objectsIn(binding.subjects)
    .filter((subject) => subject.kind === kind)
    .map((subject) =>
      kind === 'ServiceAccount' ? `${asString(subject.namespace)}/${asString(subject.name)}` : asString(subject.name),
    )
    .join(', ');

export const bindingLayout: Layout = layout({
  Name: name,
  Role: (binding) => `${asString(asObject(binding.roleRef).kind)}/${asString(asObject(binding.roleRef).name)}`,
  Age: age,
  '*Users': (binding) => subjectNames(binding, 'User'),
  '*Groups': (binding) => subjectNames(binding, 'Group'),
  '*ServiceAccounts': (binding) => subjectNames(binding, 'ServiceAccount'),
});
