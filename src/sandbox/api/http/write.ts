import type { StoredObject } from '../../types.ts';
import type { ApplyRequest } from '../apply.ts';
import { applyTo } from '../apply.ts';
import { badRequest, invalid, methodNotAllowed } from '../failure.ts';
import type { Json } from '../json.ts';
import { asObject, asString } from '../json.ts';
import type { PatchType } from '../patch.ts';
import { patchTypeOf, patched } from '../patch.ts';
import type { ProtobufTable } from '../protobuf.ts';
import { apiVersionOf } from '../resource.ts';
import type { ApiStore } from '../store.ts';
import { shown } from '../view.ts';
import type { WriteContext } from '../write-context.ts';
import { subjectOf } from '../writer.ts';
import { render } from './list.ts';
import type { ApiRequest, Reply } from './request.ts';
import { bodyOf, objectBody, reply, writeContextOf } from './request.ts';
import { scaleOf, scaledTo } from './scale.ts';
import type { Target } from './target.ts';

export interface Backend {
  readonly store: ApiStore;
  readonly protobuf: ProtobufTable;
}

type Named = Target & { readonly name: string };

function checkBody(target: Target, body: Json): void {
  const { resource, namespace, name } = target;
  const has = `${asString(body.apiVersion)}, Kind=${asString(body.kind)}`;
  if (asString(body.kind) !== resource.kind || asString(body.apiVersion) !== apiVersionOf(resource)) {
    const wants = `${apiVersionOf(resource)}, Kind=${resource.kind}`;
    throw badRequest(
      `the object provided is unrecognized (must be of type ${resource.kind}): ${has} instead of ${wants}`,
    );
  }
  const metadata = asObject(body.metadata);
  const [bodyNamespace, bodyName] = [asString(metadata.namespace), asString(metadata.name)];
  if (resource.namespaced && bodyNamespace !== '' && bodyNamespace !== namespace) {
    throw badRequest(`the namespace of the provided object does not match the namespace sent on the request`);
  }
  if (name !== undefined && bodyName !== '' && bodyName !== name) {
    throw badRequest(`the name of the object (${bodyName}) does not match the name on the URL (${name})`);
  }
}

/** The object in the body. What the URL says, apiVersion and kind, may be left out. */
function typedBody(request: ApiRequest, target: Target, protobuf: ProtobufTable): Json {
  const body = objectBody(request, protobuf);
  body.apiVersion ??= apiVersionOf(target.resource);
  body.kind ??= target.resource.kind;
  checkBody(target, body);
  return body;
}

function withWarnings(answer: Reply, context: { readonly warnings: readonly string[] }): Reply {
  if (context.warnings.length === 0) return answer;
  const warning = context.warnings.map((text) => `299 - ${JSON.stringify(text)}`).join(', ');
  return { ...answer, headers: { ...answer.headers, warning } };
}

export function create({ store, protobuf }: Backend, request: ApiRequest, target: Target): Reply {
  if (target.name !== undefined || (target.resource.namespaced && target.namespace === undefined))
    throw methodNotAllowed();
  const body = typedBody(request, target, protobuf);
  const context = writeContextOf(request, undefined);
  const object = store.writer.create(target.resource, target.namespace, body, context);
  return withWarnings(render(store, request, target, 201, object), context);
}

export function replace({ store, protobuf }: Backend, request: ApiRequest, target: Named): Reply {
  const { resource, namespace, name } = target;
  if (target.subresource === 'scale') {
    const body = objectBody(request, protobuf);
    const context = writeContextOf(request, 'scale');
    const scaled = store.writer.update(resource, namespace, name, (live) => scaledTo(resource, live, body), context);
    return reply(200, scaleOf(resource, scaled));
  }
  const body = typedBody(request, target, protobuf);
  if (resource.custom && asString(asObject(body.metadata).resourceVersion) === '') {
    const message = 'Invalid value: 0: must be specified for an update';
    throw invalid(subjectOf(resource, name), [{ field: 'metadata.resourceVersion', message }]);
  }
  const context = writeContextOf(request, target.subresource === 'status' ? 'status' : undefined);
  const object = store.writer.update(resource, namespace, name, () => body, context);
  return withWarnings(render(store, request, target, 200, object), context);
}

export function patch(backend: Backend, request: ApiRequest, target: Named): Reply {
  const { store, protobuf } = backend;
  const { resource, namespace, name } = target;
  const type = patchTypeOf(request.contentType, resource);
  if (type === 'apply') return apply(backend, request, target);
  const body = bodyOf(request, protobuf);
  if (target.subresource === 'scale') return patchScale(store, request, target, type, body);
  const context = writeContextOf(request, target.subresource === 'status' ? 'status' : undefined);
  const change = (live: StoredObject): Json => {
    const next = patched(type, live, body, resource, store.resolve);
    checkBody(target, next);
    return next;
  };
  const object = store.writer.update(resource, namespace, name, change, context);
  return withWarnings(render(store, request, target, 200, object), context);
}

function patchScale(
  store: ApiStore,
  request: ApiRequest,
  { resource, namespace, name }: Named,
  type: Exclude<PatchType, 'apply'>,
  body: unknown,
): Reply {
  const change = (live: StoredObject): Json =>
    scaledTo(
      resource,
      live,
      patched(type, scaleOf(resource, live, true), body, { ...resource, schema: {} }, store.resolve),
    );
  return reply(
    200,
    scaleOf(resource, store.writer.update(resource, namespace, name, change, writeContextOf(request, 'scale'))),
  );
}

function apply({ store }: Backend, request: ApiRequest, target: Named): Reply {
  const { resource, namespace, name } = target;
  const config = objectBody({ ...request, contentType: 'application/yaml' }, { kinds: {}, messages: {} });
  checkBody(target, config);
  if (!request.query.get('fieldManager')) {
    throw invalid({ group: 'meta.k8s.io', kind: 'PatchOptions', name: '' }, [
      { reason: 'FieldValueRequired', field: 'fieldManager', message: 'Required value: is required for apply patch' },
    ]);
  }
  const subresource = target.subresource === 'status' ? 'status' : undefined;
  const context: WriteContext & { warnings: string[] } = {
    ...writeContextOf(request, subresource),
    operation: 'Apply',
  };
  const applied: ApplyRequest = {
    manager: context.manager,
    force: request.query.get('force') === 'true',
    ...(subresource === undefined ? {} : { subresource }),
  };
  const around = { resolve: store.resolve, clock: store.clock };
  config.metadata = { ...asObject(config.metadata), name };
  if (store.objects.get(resource.storage, namespace, name) === undefined && subresource === undefined) {
    const made = applyTo(resource, undefined, config, applied, around);
    const object = store.writer.create(resource, namespace, made, context);
    return withWarnings(render(store, request, target, 201, object), context);
  }
  const change = (live: StoredObject): Json => {
    const metadata = asObject(config.metadata);
    const next = applyTo(resource, live, config, applied, around);
    // A version in the configuration is a precondition, not a field.
    const { resourceVersion } = metadata;
    return resourceVersion === undefined
      ? next
      : { ...next, metadata: { ...asObject(next.metadata), resourceVersion } };
  };
  const object = store.writer.update(resource, namespace, name, change, context);
  return withWarnings(render(store, request, target, 200, object), context);
}

/** One object as GET shows it. */
export function read(store: ApiStore, request: ApiRequest, target: Named, object: StoredObject): Reply {
  if (target.subresource === 'scale') return reply(200, scaleOf(target.resource, object));
  return render(store, request, target, 200, shown(target.resource, object));
}
