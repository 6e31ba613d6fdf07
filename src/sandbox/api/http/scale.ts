import type { StoredObject } from '../../types.ts';
import { Failure, invalid, noSuchPage } from '../failure.ts';
import type { Json } from '../json.ts';
import { asObject, at, clone, ensure, isObject } from '../json.ts';
import type { Resource, ScalePaths } from '../resource.ts';
import { selectorText } from '../table/workloads.ts';
import { kindSubject } from '../writer.ts';

const steps = (path: string): readonly string[] => path.replace(/^\./, '').split('.');

export function scalePaths(resource: Resource): ScalePaths {
  if (!resource.scale) throw noSuchPage();
  return resource.scale;
}

/** The autoscaling/v1 Scale of an object. One that has no replicas yet has none, but may be patched to get some. */
export function scaleOf(resource: Resource, object: StoredObject, forPatch = false): Json {
  const paths = scalePaths(resource);
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const selector = paths.labelSelectorPath === undefined ? undefined : at(object, ...steps(paths.labelSelectorPath));
  const text = isObject(selector) ? selectorText(selector) : selector;
  const replicas = at(object, ...steps(paths.specReplicasPath));
  if (replicas === undefined && !forPatch) {
    const message = `the spec replicas field ${JSON.stringify(paths.specReplicasPath)} does not exist`;
    throw new Failure(500, 'InternalError', `Internal error occurred: ${message}`, { causes: [{ message }] });
  }
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: replicas === undefined || replicas === 0 ? {} : { replicas },
    status: {
      replicas: at(object, ...steps(paths.statusReplicasPath)) ?? 0,
      ...(text === undefined ? {} : { selector: text }),
    },
  };
}

/** The object with the replicas of a Scale. */
export function scaledTo(resource: Resource, object: StoredObject, scale: Json): Json {
  const replicas = asObject(scale.spec).replicas ?? 0;
  if (typeof replicas !== 'number' || replicas < 0) {
    throw invalid({ ...kindSubject(resource, object.metadata.name), kind: 'Scale', group: 'autoscaling' }, [
      {
        field: 'spec.replicas',
        message: `Invalid value: ${JSON.stringify(replicas)}: must be greater than or equal to 0`,
      },
    ]);
  }
  const path = steps(scalePaths(resource).specReplicasPath);
  const scaled: Json = clone<StoredObject>(object);
  ensure(scaled, ...path.slice(0, -1))[path.at(-1) ?? ''] = replicas;
  const { resourceVersion } = asObject(scale.metadata);
  if (resourceVersion !== undefined) ensure(scaled, 'metadata').resourceVersion = resourceVersion;
  return scaled;
}
