import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Json, Seen } from '../cluster-api.ts';
import { eventually } from '../cluster-api.ts';
import type { Given } from '../cluster-under-test.ts';
import { uniqueName } from '../cluster-under-test.ts';
import { applyPatch, mergePatch, strategicPatch } from './samples.ts';

const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

const schema = {
  type: 'object',
  required: ['spec'],
  properties: {
    spec: {
      type: 'object',
      required: ['size'],
      properties: {
        size: { type: 'integer', minimum: 1, maximum: 10 },
        color: { type: 'string', enum: ['red', 'blue'], default: 'red' },
        code: { type: 'string', pattern: '^[a-z]+$', maxLength: 5 },
        limit: { 'x-kubernetes-int-or-string': true },
        nested: { type: 'object', default: {}, properties: { on: { type: 'boolean', default: true } } },
        free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        either: {
          type: 'object',
          properties: { a: { type: 'string' }, b: { type: 'string' } },
          oneOf: [{ required: ['a'] }, { required: ['b'] }],
        },
        parts: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['name'],
          items: {
            type: 'object',
            required: ['name'],
            properties: { name: { type: 'string' }, value: { type: 'string' } },
          },
        },
        plain: { type: 'array', items: { type: 'string' } },
      },
    },
    status: {
      type: 'object',
      properties: {
        phase: { type: 'string' },
        conditions: {
          type: 'array',
          items: { type: 'object', properties: { type: { type: 'string' }, status: { type: 'string' } } },
        },
      },
    },
  },
};

const columns = [
  { name: 'Phase', type: 'string', jsonPath: '.status.phase' },
  { name: 'Size', type: 'integer', jsonPath: '.spec.size' },
  { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
  { name: 'Color', type: 'string', jsonPath: '.spec.color', priority: 1 },
];

export function customResources(given: Given): void {
  const group = `${uniqueName('g')}.serin.dev`;
  const definition = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `widgets.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural: 'widgets', kind: 'Widget', shortNames: ['wd'] },
      versions: ['v1', 'v1beta1'].map((name) => ({
        name,
        served: true,
        storage: name === 'v1',
        subresources: { status: {} },
        additionalPrinterColumns: columns,
        schema: { openAPIV3Schema: schema },
      })),
    },
  };
  const path = (ns: string, name = '', version = 'v1'): string =>
    `/apis/${group}/${version}/namespaces/${ns}/widgets${name === '' ? '' : `/${name}`}`;
  const widget = (spec: Json, version = 'v1'): Json => ({
    apiVersion: `${group}/${version}`,
    kind: 'Widget',
    metadata: { name: 'one' },
    spec,
  });
  const create = async (ns: string, spec: Json): Promise<Seen> =>
    (await given().api.call('POST', path(ns), widget(spec))).body;

  beforeAll(async () => {
    const { api } = given();
    expect((await api.call('POST', definitions, definition)).status).toBe(201);
    await eventually(
      async () => (await api.call('GET', `/apis/${group}/v1/widgets`)).status,
      (code) => code === 200,
      'the new kind',
    );
  });
  afterAll(() => given().api.call('DELETE', `${definitions}/widgets.${group}`));

  test('a definition becomes established and its kind is discovered', async () => {
    const { api } = given();
    const { body } = await api.call('GET', `${definitions}/widgets.${group}`);
    const conditions = body.status.conditions as { type: string; status: string }[];
    expect(conditions.map(({ type, status }) => `${type}=${status}`).sort()).toEqual([
      'Established=True',
      'NamesAccepted=True',
    ]);
    expect(body.status).toMatchObject({
      acceptedNames: { plural: 'widgets', listKind: 'WidgetList' },
      storedVersions: ['v1'],
    });
    const found = await api.call('GET', `/apis/${group}/v1`);
    expect(found.body.resources).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: 'widgets', kind: 'Widget', singularName: 'widget', shortNames: ['wd'] }),
        expect.objectContaining({ name: 'widgets/status' }),
      ]),
    );
  });

  test('defaults are filled in, unknown fields pruned except where they are kept', () =>
    given().inNamespace(async (ns) => {
      const body = await create(ns, { size: 2, extra: 1, free: { any: { thing: 1 } } });
      expect(body.spec).toEqual({ size: 2, color: 'red', nested: { on: true }, free: { any: { thing: 1 } } });
      expect(body.metadata.generation).toBe(1);
    }));

  test('what the schema forbids is invalid, each with its cause', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      const bad = { size: 11, color: 'green', code: 'A', either: {}, limit: true };
      const { status, body } = await api.call('POST', path(ns), widget(bad));
      expect(status).toBe(422);
      expect(body.reason).toBe('Invalid');
      expect(body.message).toContain('Widget.');
      const byField = new Map(body.details.causes.map(({ field, message, reason }) => [field, `${reason} ${message}`]));
      expect(byField.get('spec.size')).toBe(
        'FieldValueInvalid Invalid value: 11: spec.size in body should be less than or equal to 10',
      );
      expect(byField.get('spec.color')).toBe(
        'FieldValueNotSupported Unsupported value: "green": supported values: "red", "blue"',
      );
      expect(byField.get('spec.code')).toContain("spec.code in body should match '^[a-z]+$'");
      expect(byField.get('spec.limit')).toContain('spec.limit in body must be of type integer,string: "boolean"');
      expect([...byField.values()].join()).toContain('must validate one and only one schema (oneOf)');
      const missing = await api.call('POST', path(ns), widget({}));
      expect(missing.body.details.causes).toContainEqual({
        reason: 'FieldValueRequired',
        message: 'Required value',
        field: 'spec.size',
      });
      const wrong = await api.call('POST', path(ns), widget({ size: 'two' }));
      expect(wrong.body.message).toContain(
        'spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"',
      );
    }));

  test('items with one key may stand only once', () =>
    given().inNamespace(async (ns) => {
      const { body } = await given().api.call(
        'POST',
        path(ns),
        widget({ size: 1, parts: [{ name: 'a' }, { name: 'a' }] }),
      );
      expect(body.details.causes[0]).toMatchObject({ reason: 'FieldValueDuplicate', field: 'spec.parts[1]' });
    }));

  test('the status is set through /status alone and does not count as a generation', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      const made = await api.call('POST', path(ns), { ...widget({ size: 1 }), status: { phase: 'Early' } });
      expect(made.body.status).toBeUndefined();
      const patch = { status: { phase: 'Fine' }, spec: { size: 9 }, metadata: { labels: { a: 'b' } } };
      const sub = await api.call('PATCH', `${path(ns, 'one')}/status`, patch, mergePatch);
      expect(sub.body).toMatchObject({ status: { phase: 'Fine' }, spec: { size: 1 }, metadata: { generation: 1 } });
      expect(sub.body.metadata.labels).toBeUndefined();
      const main = await api.call(
        'PATCH',
        path(ns, 'one'),
        { status: { phase: 'Other' }, spec: { size: 2 } },
        mergePatch,
      );
      expect(main.body).toMatchObject({ status: { phase: 'Fine' }, spec: { size: 2 }, metadata: { generation: 2 } });
    }));

  test('an update must say from which version, and strategic merge is not for custom kinds', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      const made = await create(ns, { size: 1 });
      const { resourceVersion: _version, ...metadata } = made.metadata;
      const blind = await api.call('PUT', path(ns, 'one'), { ...made, metadata });
      expect(blind.status).toBe(422);
      expect(blind.body.message).toContain(
        'metadata.resourceVersion: Invalid value: 0: must be specified for an update',
      );
      const patch = await api.call('PATCH', path(ns, 'one'), {}, strategicPatch);
      expect(patch.status).toBe(415);
    }));

  test('list items of a list with keys are owned one by one, other lists as a whole', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      const apply = (spec: Json, manager: string) =>
        api.call('PATCH', `${path(ns, 'one')}?fieldManager=${manager}`, widget(spec), applyPatch);
      await apply({ size: 1, parts: [{ name: 'a', value: '1' }], plain: ['x'] }, 'first');
      const both = await apply({ size: 1, parts: [{ name: 'b', value: '2' }] }, 'second');
      expect(both.body.spec.parts).toEqual([
        { name: 'a', value: '1' },
        { name: 'b', value: '2' },
      ]);
      const clash = await apply({ size: 1, plain: ['y'] }, 'second');
      expect(clash.body.message).toBe('Apply failed with 1 conflict: conflict with "first": .spec.plain');
    }));

  test('each served version shows the same object', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      const made = await create(ns, { size: 1 });
      const other = await api.call('GET', path(ns, 'one', 'v1beta1'));
      expect(other.body).toMatchObject({ apiVersion: `${group}/v1beta1`, kind: 'Widget', spec: { size: 1 } });
      expect(other.body.metadata.uid).toBe(made.metadata.uid);
      const list = await api.call('GET', path(ns));
      expect(list.body).toMatchObject({ kind: 'WidgetList', items: [{ kind: 'Widget', apiVersion: `${group}/v1` }] });
    }));

  test('printer columns come as told, those of lower priority for the wide table', () =>
    given().inNamespace(async (ns) => {
      const { api } = given();
      await create(ns, { size: 3 });
      const status = { phase: 'Fine', conditions: [{ type: 'Ready', status: 'True' }] };
      await api.call('PATCH', `${path(ns, 'one')}/status`, { status }, mergePatch);
      const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
      const { body } = await api.call('GET', path(ns), undefined, { accept });
      const shown = body.columnDefinitions as { name: string; priority: number }[];
      expect(shown.map(({ name, priority }) => `${name}/${priority}`)).toEqual([
        'Name/0',
        'Phase/0',
        'Size/0',
        'Ready/0',
        'Color/1',
      ]);
      expect((body.rows as { cells: unknown[] }[])[0]?.cells).toEqual(['one', 'Fine', 3, 'True', 'red']);
    }));

  test('a field that the schema does not have is refused when asked to be strict', () =>
    given().inNamespace(async (ns) => {
      const { status, body } = await given().api.call(
        'POST',
        `${path(ns)}?fieldValidation=Strict`,
        widget({ size: 1, extra: 1 }),
      );
      expect(status).toBe(400);
      expect(body.message).toContain('strict decoding error: unknown field "spec.extra"');
    }));

  test('with its definition a kind and its objects go', async () => {
    const { api } = given();
    const name = uniqueName('gone');
    const other = {
      ...definition,
      metadata: { name: `${name}s.${group}` },
      spec: {
        ...definition.spec,
        scope: 'Cluster',
        names: { plural: `${name}s`, kind: `W${name.replaceAll('-', '')}` },
      },
    };
    const url = `/apis/${group}/v1/${name}s`;
    await api.call('POST', definitions, other);
    await eventually(
      async () => (await api.call('GET', url)).status,
      (code) => code === 200,
      'the other kind',
    );
    await api.call('DELETE', `${definitions}/${name}s.${group}`);
    await eventually(
      async () => (await api.call('GET', url)).status,
      (code) => code === 404,
      'the end of the kind',
    );
  });

  test('a definition whose name does not fit is invalid', async () => {
    const { body } = await given().api.call('POST', definitions, {
      ...definition,
      metadata: { name: 'other.example.com' },
    });
    expect(body).toMatchObject({ reason: 'Invalid', code: 422 });
    expect(body.message).toContain('must be spec.names.plural+"."+spec.group');
  });
}
