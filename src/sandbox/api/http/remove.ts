import { invalid } from '../failure.ts';
import type { Json } from '../json.ts';
import { asArray, asObject, isObject } from '../json.ts';
import { apiVersionOf } from '../resource.ts';
import { shown } from '../view.ts';
import type { DeleteOptions } from '../writer.ts';
import { selection } from './list.ts';
import type { ApiRequest, Reply } from './request.ts';
import { bodyOf, isDryRun, reply } from './request.ts';
import type { Target } from './target.ts';
import type { Backend } from './write.ts';

function optionsOf({ protobuf }: Backend, request: ApiRequest): DeleteOptions {
  const told = bodyOf(request, protobuf);
  const body: Json = isObject(told) ? told : {};
  const asked = body.propagationPolicy ?? request.query.get('propagationPolicy') ?? undefined;
  const orphans = body.orphanDependents === true ? 'Orphan' : undefined;
  const propagation = asked ?? orphans;
  if (
    propagation !== undefined &&
    propagation !== 'Background' &&
    propagation !== 'Foreground' &&
    propagation !== 'Orphan'
  ) {
    throw invalid({ group: 'meta.k8s.io', kind: 'DeleteOptions', name: '' }, [
      {
        reason: 'FieldValueNotSupported',
        field: 'propagationPolicy',
        message: `Unsupported value: ${JSON.stringify(propagation)}: supported values: "Foreground", "Background", "Orphan", "nil"`,
      },
    ]);
  }
  const grace = body.gracePeriodSeconds ?? request.query.get('gracePeriodSeconds') ?? undefined;
  const { uid, resourceVersion } = asObject(body.preconditions);
  return {
    ...(propagation === undefined ? {} : { propagation }),
    ...(typeof uid === 'string' ? { uid } : {}),
    ...(typeof resourceVersion === 'string' ? { resourceVersion } : {}),
    ...(grace === undefined ? {} : { gracePeriodSeconds: Number(grace) }),
    dryRun: isDryRun([...request.query.getAll('dryRun'), ...asArray(body.dryRun).map(String)]),
  };
}

export function removeOne(backend: Backend, request: ApiRequest, target: Target & { readonly name: string }): Reply {
  const { resource, namespace, name } = target;
  const { object, gone } = backend.store.writer.remove(resource, namespace, name, optionsOf(backend, request));
  // What goes gracefully answers with the object, whenever it goes.
  if (!gone || resource.storage === '/pods') return reply(200, object);
  const details = {
    name,
    ...(resource.group === '' ? {} : { group: resource.group }),
    kind: resource.plural,
    uid: object.metadata.uid,
  };
  return reply(200, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details });
}

export function removeAll(backend: Backend, request: ApiRequest, target: Target): Reply {
  const { store } = backend;
  const { resource, namespace } = target;
  const options = optionsOf(backend, request);
  const found = store.objects.list(resource.storage, namespace).filter(selection(request, target));
  for (const { metadata } of found) {
    // An earlier one may have taken this one along.
    if (store.objects.get(resource.storage, metadata.namespace, metadata.name)) {
      store.writer.remove(resource, metadata.namespace, metadata.name, options);
    }
  }
  return reply(200, {
    kind: resource.listKind,
    apiVersion: apiVersionOf(resource),
    metadata: { resourceVersion: String(store.objects.version()) },
    items: found.map((object) => shown(resource, object)),
  });
}
