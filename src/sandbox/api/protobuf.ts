import { readFileSync } from 'node:fs';
import { badRequest } from './failure.ts';
import type { Json } from './json.ts';

/** Field number, JSON name (empty: the fields stand in the parent), cardinality, type. */
type Field = readonly [number, string, 'one' | 'list' | 'map', string];

/** Messages of the built-in kinds, from the field numbers that Kubernetes publishes. */
export interface ProtobufTable {
  readonly kinds: Readonly<Record<string, string>>;
  readonly messages: Readonly<Record<string, readonly Field[]>>;
}

export function readProtobufTable(): ProtobufTable {
  const file = new URL('../../../fixtures/kubernetes/protobuf.json', import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as ProtobufTable;
}

interface Wire {
  readonly field: number;
  readonly number: bigint;
  readonly bytes: Buffer;
}

function* wires(data: Buffer): Generator<Wire> {
  let offset = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = data[offset];
      if (byte === undefined) throw badRequest('the protobuf body ends early');
      offset += 1;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (offset < data.length) {
    const tag = Number(varint());
    const field = tag >> 3;
    switch (tag & 7) {
      case 0:
        yield { field, number: varint(), bytes: Buffer.alloc(0) };
        break;
      case 1:
        yield { field, number: 0n, bytes: data.subarray(offset, (offset += 8)) };
        break;
      case 2: {
        const length = Number(varint());
        yield { field, number: 0n, bytes: data.subarray(offset, (offset += length)) };
        break;
      }
      case 5:
        yield { field, number: 0n, bytes: data.subarray(offset, (offset += 4)) };
        break;
      default:
        throw badRequest('the protobuf body cannot be read');
    }
  }
}

const magic = Buffer.from('k8s\0', 'latin1');

/** Kubernetes' envelope (magic, then a runtime.Unknown) as the JSON object in it. */
export function decodeProtobuf(body: Buffer, table: ProtobufTable): Json {
  if (!body.subarray(0, 4).equals(magic))
    throw badRequest('the body does not begin like a Kubernetes protobuf message');
  let apiVersion = '';
  let kind = '';
  let raw: Buffer = Buffer.alloc(0);
  for (const wire of wires(body.subarray(4))) {
    if (wire.field === 1) {
      for (const meta of wires(wire.bytes)) {
        if (meta.field === 1) apiVersion = meta.bytes.toString('utf8');
        if (meta.field === 2) kind = meta.bytes.toString('utf8');
      }
    }
    if (wire.field === 2) raw = wire.bytes;
  }
  const message = table.kinds[`${apiVersion}/${kind}`] ?? table.kinds[kind];
  if (message === undefined) throw badRequest(`no kind "${kind}" is registered for version "${apiVersion}"`);
  return { apiVersion, kind, ...decodeMessage(raw, message, table) };
}

function decodeMessage(data: Buffer, message: string, table: ProtobufTable): Json {
  const fields = new Map((table.messages[message] ?? []).map((field) => [field[0], field]));
  const object: Json = {};
  for (const wire of wires(data)) {
    const field = fields.get(wire.field);
    if (!field) continue;
    const [, name, cardinality, type] = field;
    if (cardinality === 'map') {
      const [key, value] = mapEntry(wire.bytes, type, table);
      object[name] = { ...(object[name] as Json | undefined), [key]: value };
      continue;
    }
    const value = decodeValue(wire, type, table);
    if (value === undefined) continue;
    if (name === '') Object.assign(object, value);
    else if (cardinality === 'list') object[name] = [...((object[name] as unknown[] | undefined) ?? []), value];
    else object[name] = value;
  }
  return object;
}

function mapEntry(data: Buffer, type: string, table: ProtobufTable): readonly [string, unknown] {
  let key = '';
  let value: unknown = type === 'string' || type === 'bytes' ? '' : {};
  for (const wire of wires(data)) {
    if (wire.field === 1) key = wire.bytes.toString('utf8');
    if (wire.field === 2) value = decodeValue(wire, type, table);
  }
  return [key, value];
}

function decodeValue(wire: Wire, type: string, table: ProtobufTable): unknown {
  switch (type) {
    case 'string':
      return wire.bytes.toString('utf8');
    case 'bytes':
      return wire.bytes.toString('base64');
    case 'bool':
      return wire.number !== 0n;
    case 'int32':
    case 'int64':
    case 'uint32':
    case 'uint64':
      return Number(BigInt.asIntN(64, wire.number));
    case 'Quantity':
      return decodeStrings(wire.bytes).get(1) ?? '0';
    case 'meta.Time':
    case 'meta.MicroTime':
      return decodeTime(wire.bytes, type === 'meta.MicroTime');
    case 'IntOrString':
      return decodeIntOrString(wire.bytes);
    case 'meta.FieldsV1':
    case 'RawExtension':
      return JSON.parse(decodeStrings(wire.bytes).get(1) ?? '{}');
    default:
      return decodeMessage(wire.bytes, type, table);
  }
}

const decodeStrings = (data: Buffer): ReadonlyMap<number, string> =>
  new Map([...wires(data)].map((wire) => [wire.field, wire.bytes.toString('utf8')]));

function decodeTime(data: Buffer, micro: boolean): string | undefined {
  const seconds = [...wires(data)].find((wire) => wire.field === 1)?.number;
  const nanos = [...wires(data)].find((wire) => wire.field === 2)?.number ?? 0n;
  if (seconds === undefined) return undefined;
  const text = new Date(Number(BigInt.asIntN(64, seconds)) * 1_000).toISOString().slice(0, 19);
  return micro ? `${text}.${String(nanos / 1_000n).padStart(6, '0')}Z` : `${text}Z`;
}

function decodeIntOrString(data: Buffer): number | string {
  const parts = new Map([...wires(data)].map((wire) => [wire.field, wire]));
  return parts.get(1)?.number === 1n
    ? (parts.get(3)?.bytes.toString('utf8') ?? '')
    : Number(BigInt.asIntN(32, parts.get(2)?.number ?? 0n));
}
