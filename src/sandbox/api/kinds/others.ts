import { badRequest } from '../failure.ts';
import type { Json } from '../json.ts';
import { asObject, ensure, objectsIn } from '../json.ts';
import type { KindRules } from './contract.ts';
import { fallback, immutable } from './contract.ts';

export const ingressRules: KindRules = {
  prepare: (object) => fallback(object, 'status', { loadBalancer: {} }),
  check: (object) => {
    const spec = asObject(object.spec);
    if (spec.rules !== undefined || spec.defaultBackend !== undefined) return [];
    const message = 'Invalid value: null: either `defaultBackend` or `rules` must be specified';
    return [{ field: 'spec', message }];
  },
};

const rbacGroup = 'rbac.authorization.k8s.io';

export const bindingRules: KindRules = {
  prepare: (object) => {
    fallback(ensure(object, 'roleRef'), 'apiGroup', rbacGroup);
    for (const subject of objectsIn(object.subjects)) {
      if (subject.kind === 'User' || subject.kind === 'Group') fallback(subject, 'apiGroup', rbacGroup);
    }
  },
  check: (object, live) =>
    live
      ? immutable('roleRef', live.roleRef, object.roleRef).map((cause) => ({
          ...cause,
          message: 'Invalid value: cannot change roleRef',
        }))
      : [],
};

const cpuTarget: Json = {
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } },
};

export const autoscalerRules: KindRules = {
  prepare: (object) => {
    const spec = ensure(object, 'spec');
    fallback(spec, 'minReplicas', 1);
    fallback(spec, 'metrics', [cpuTarget]);
    fallback(object, 'status', { desiredReplicas: 0, currentMetrics: null });
  },
};

const microTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)$/;

/** Lease times have exactly six digits of a second; anything else cannot be read. */
export const leaseRules: KindRules = {
  prepare: (object) => {
    const spec = asObject(object.spec);
    for (const field of ['acquireTime', 'renewTime']) {
      const time = spec[field];
      if (typeof time !== 'string' || microTime.test(time)) continue;
      throw badRequest(
        `Lease in version "v1" cannot be handled as a Lease: parsing time ${JSON.stringify(time)} as "2006-01-02T15:04:05.000000Z07:00": cannot parse ${JSON.stringify(time)}`,
      );
    }
  },
};
