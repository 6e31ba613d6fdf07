import type { Cause } from './failure.ts';
import { Failure } from './failure.ts';
import { asObject, asString, isObject, type Json } from './json.ts';

/** Keys and values of all annotations together. */
const maxAnnotationBytes = 256 * 1024;
/** Values of a ConfigMap or Secret together, as what they stand for. */
const maxDataBytes = 1024 * 1024;
/** What the API server's own client sends to etcd, and what etcd takes. */
const maxSentBytes = 2 * 1024 * 1024;
const maxStoredBytes = 1.5 * 1024 * 1024;

const tooLong = (field: string, bytes: number): Cause => ({
  reason: 'FieldValueTooLong',
  field,
  message: `Too long: may not be more than ${bytes} bytes`,
});

export function annotationCauses(annotations: Json): readonly Cause[] {
  let bytes = 0;
  for (const [key, value] of Object.entries(annotations)) bytes += Buffer.byteLength(key) + bytesOf(value);
  return bytes > maxAnnotationBytes ? [tooLong('metadata.annotations', maxAnnotationBytes)] : [];
}

/** Of a ConfigMap's `data` and `binaryData`; a real API server names no field. */
export function configMapCauses({ data, binaryData }: Json): readonly Cause[] {
  let bytes = decodedBytes(binaryData);
  for (const value of Object.values(asObject(data))) bytes += bytesOf(value);
  return bytes > maxDataBytes ? [tooLong('[]', maxDataBytes)] : [];
}

export function secretCauses({ data }: Json): readonly Cause[] {
  return decodedBytes(data) > maxDataBytes ? [tooLong('data', maxDataBytes)] : [];
}

/** Throws what an API server answers where its store takes no object of this size. Real ones count some hundred bytes more or less. */
export function refuseTooLarge(object: Json): void {
  const bytes = sizeOf(object);
  if (bytes > maxSentBytes)
    throw new Failure(
      500,
      '',
      `rpc error: code = ResourceExhausted desc = trying to send message larger than max (${bytes} vs. ${maxSentBytes})`,
    );
  if (bytes > maxStoredBytes) throw new Failure(500, '', 'etcdserver: request is too large');
}

const bytesOf = (value: unknown): number => (typeof value === 'string' ? Buffer.byteLength(value) : 0);

function decodedBytes(data: unknown): number {
  let bytes = 0;
  for (const value of Object.values(asObject(data))) bytes += Buffer.byteLength(asString(value), 'base64');
  return bytes;
}

/** About the length of its JSON, without writing it. */
function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length + 2;
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + sizeOf(item) + 1, 2);
  if (!isObject(value)) return 5;
  let size = 2;
  for (const [key, member] of Object.entries(value)) size += key.length + 4 + sizeOf(member);
  return size;
}
