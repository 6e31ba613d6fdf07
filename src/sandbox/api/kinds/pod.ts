import type { Cause } from '../failure.ts';
import type { Json } from '../json.ts';
import { asObject, asString, clone, ensure, equal, isObject, objectsIn } from '../json.ts';
import type { KindRules } from './contract.ts';
import { fallback, required, wrong } from './contract.ts';
import { admitPod } from './pod-admission.ts';

function probeDefaults(probe: unknown): void {
  if (!isObject(probe)) return;
  fallback(probe, 'timeoutSeconds', 1);
  fallback(probe, 'periodSeconds', 10);
  fallback(probe, 'successThreshold', 1);
  fallback(probe, 'failureThreshold', 3);
  if (isObject(probe.httpGet)) {
    fallback(probe.httpGet, 'path', '/');
    fallback(probe.httpGet, 'scheme', 'HTTP');
  }
  if (isObject(probe.grpc)) fallback(probe.grpc, 'service', '');
}

function containerDefaults(container: Json): void {
  const image = asString(container.image);
  const tag = /(?:@|:)([^/]*)$/.exec(image)?.[1];
  fallback(container, 'imagePullPolicy', tag === undefined || tag === 'latest' ? 'Always' : 'IfNotPresent');
  fallback(container, 'terminationMessagePath', '/dev/termination-log');
  fallback(container, 'terminationMessagePolicy', 'File');
  fallback(container, 'resources', {});
  for (const probe of ['livenessProbe', 'readinessProbe', 'startupProbe']) probeDefaults(container[probe]);
  for (const port of objectsIn(container.ports)) fallback(port, 'protocol', 'TCP');
  for (const variable of objectsIn(container.env)) {
    const field = asObject(variable.valueFrom).fieldRef;
    if (isObject(field)) fallback(field, 'apiVersion', 'v1');
  }
}

function requestsFromLimits(container: Json): void {
  const resources = asObject(container.resources);
  for (const [name, limit] of Object.entries(asObject(resources.limits))) {
    fallback(ensure(resources, 'requests'), name, limit);
  }
}

function volumeDefaults(volume: Json): void {
  if (Object.keys(volume).every((key) => key === 'name')) volume.emptyDir = {};
  for (const source of ['configMap', 'secret', 'projected', 'downwardAPI']) {
    const described = volume[source];
    if (isObject(described)) fallback(described, 'defaultMode', 420);
  }
  if (isObject(volume.hostPath)) fallback(volume.hostPath, 'type', '');
}

export function podSpecDefaults(spec: Json): void {
  fallback(spec, 'restartPolicy', 'Always');
  fallback(spec, 'dnsPolicy', 'ClusterFirst');
  fallback(spec, 'schedulerName', 'default-scheduler');
  fallback(spec, 'securityContext', {});
  fallback(spec, 'terminationGracePeriodSeconds', 30);
  if (spec.serviceAccountName !== undefined) spec.serviceAccount = spec.serviceAccountName;
  else if (spec.serviceAccount !== undefined) spec.serviceAccountName = spec.serviceAccount;
  for (const container of [...objectsIn(spec.containers), ...objectsIn(spec.initContainers)])
    containerDefaults(container);
  for (const volume of objectsIn(spec.volumes)) volumeDefaults(volume);
}

const containerName = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

export function podSpecCauses(spec: Json, path: string): readonly Cause[] {
  const causes: Cause[] = [];
  const containers = objectsIn(spec.containers);
  if (containers.length === 0) causes.push(required(`${path}.containers`));
  const names = new Set<string>();
  const volumes = new Set(objectsIn(spec.volumes).map((volume) => volume.name));
  containers.forEach((container, index) => {
    const field = `${path}.containers[${index}]`;
    const name = asString(container.name);
    if (container.image === undefined || container.image === '') causes.push(required(`${field}.image`));
    if (name === '' || names.has(name)) {
      if (name !== '')
        causes.push({ reason: 'FieldValueDuplicate', field: `${field}.name`, message: `Duplicate value: "${name}"` });
    } else if (!containerName.test(name))
      causes.push(
        wrong(
          `${field}.name`,
          name,
          "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
        ),
      );
    names.add(name);
    objectsIn(container.volumeMounts).forEach((mount, at) => {
      if (volumes.has(mount.name)) return;
      causes.push({
        reason: 'FieldValueNotFound',
        field: `${field}.volumeMounts[${at}].name`,
        message: `Not found: ${JSON.stringify(mount.name)}`,
      });
    });
  });
  return causes;
}

/** What of a pod's spec may change after it was made. */
function fixedPart(spec: unknown): Json {
  const copy = clone(asObject(spec));
  for (const container of [...objectsIn(copy.containers), ...objectsIn(copy.initContainers)]) delete container.image;
  for (const field of ['activeDeadlineSeconds', 'tolerations', 'terminationGracePeriodSeconds', 'nodeName'])
    delete copy[field];
  return copy;
}

export const podRules: KindRules = {
  prepare: (object, live, { objects }) => {
    const spec = ensure(object, 'spec');
    podSpecDefaults(spec);
    fallback(spec, 'enableServiceLinks', true);
    if (live) return;
    for (const container of [...objectsIn(spec.containers), ...objectsIn(spec.initContainers)])
      requestsFromLimits(container);
    fallback(spec, 'serviceAccountName', 'default');
    fallback(spec, 'serviceAccount', spec.serviceAccountName);
    fallback(spec, 'preemptionPolicy', 'PreemptLowerPriority');
    fallback(spec, 'priority', 0);
    const tolerates = (key: string) => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 });
    fallback(spec, 'tolerations', ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'].map(tolerates));
    object.status = { phase: 'Pending', qosClass: qosClass(spec) };
    admitPod(object, objects);
  },
  check: (object, live) => {
    const causes = podSpecCauses(asObject(object.spec), 'spec');
    if (!live || equal(fixedPart(live.spec), fixedPart(object.spec))) return causes;
    const message =
      'Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';
    return [...causes, { reason: 'FieldValueForbidden', field: 'spec', message }];
  },
};

function qosClass(spec: Json): string {
  const containers = objectsIn(spec.containers).map((container) => asObject(container.resources));
  if (containers.every((resources) => !resources.limits && !resources.requests)) return 'BestEffort';
  const guaranteed = containers.every(
    ({ limits, requests }) =>
      asObject(limits).cpu !== undefined && asObject(limits).memory !== undefined && equal(limits, requests),
  );
  return guaranteed ? 'Guaranteed' : 'Burstable';
}
