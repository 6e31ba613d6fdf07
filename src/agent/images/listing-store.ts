import { promisify } from 'node:util';
import { gunzip as gunzipNow, gzip as gzipNow } from 'node:zlib';
import type { Cluster } from '../../cluster/cluster.ts';
import { sha256Hex } from '../../lib/hash.ts';
import { isFields } from '../../manifest/checks/finding.ts';
import type { KubeObject } from '../../manifest/types.ts';
import type { Known } from './known.ts';

const gzip = promisify(gzipNow);
const gunzip = promisify(gunzipNow);

/** What is known of registries, kept over a restart where only the agent writes. Losing it costs requests, and the age of tags. */
export interface ListingStore {
  load(signal: AbortSignal): Promise<ReadonlyMap<string, Known>>;
  /** `known`: all there is; `changed`: the keys of what is not kept as it is. */
  save(known: ReadonlyMap<string, Known>, changed: ReadonlySet<string>, signal: AbortSignal): Promise<void>;
}

const label = 'serin.dev/image-tags';
const manager = 'serin-images';
const typeOfSecret = 'serin.dev/image-tags';
const dataKey = 'tags';
/** A Secret holds 1 MiB, in base64. */
const maxBytes = 700 * 1024;
const maxTextBytes = 64 * 1024 * 1024;
const version = 1;

/** Sixteen Secrets at most, each with the repositories whose hash begins alike. */
export function createListingStore(cluster: Pick<Cluster, 'list' | 'apply'>, namespace: string): ListingStore {
  return {
    async load(signal) {
      const found = await cluster.list(
        { apiVersion: 'v1', kind: 'Secret' },
        { namespace, labelSelector: `${label}=true` },
        signal,
      );
      const shards: (readonly [string, Known])[][] = [];
      for (const object of found) shards.push([...(await readShard(object))]);
      return new Map(shards.flat());
    },
    async save(known, changed, signal) {
      for (const shard of new Set([...changed].map(shardOf))) {
        const entries = [...known].filter(([key]) => shardOf(key) === shard);
        await cluster.apply(await shardObject(namespace, shard, entries), { manager, force: true }, signal);
      }
    },
  };
}

const shardOf = (key: string): string => sha256Hex(key).slice(0, 1);

async function shardObject(
  namespace: string,
  shard: string,
  entries: readonly (readonly [string, Known])[],
): Promise<KubeObject> {
  // What was asked last is what is worth most.
  const kept = entries.toSorted(([, a], [, b]) => b.askedAtMs - a.askedAtMs);
  let packed = await pack(kept);
  while (packed.length > maxBytes && kept.length > 0) {
    kept.length = Math.floor(kept.length / 2);
    packed = await pack(kept);
  }
  const metadata = { namespace, name: `serin-image-tags-${shard}`, labels: { [label]: 'true' } };
  const data = { [dataKey]: packed.toString('base64') };
  return { apiVersion: 'v1', kind: 'Secret', metadata, type: typeOfSecret, data };
}

function pack(entries: readonly (readonly [string, Known])[]): Promise<Buffer> {
  const repositories = entries.map(([key, { digests: _asked, createdMs, platforms, taken, ...known }]) => ({
    key,
    ...known,
    createdMs: [...createdMs],
    platforms: [...platforms],
    taken: [...taken],
  }));
  return gzip(JSON.stringify({ version, repositories }));
}

/** What cannot be read is nothing: it is asked anew. */
async function readShard(object: KubeObject): Promise<ReadonlyMap<string, Known>> {
  const { data } = object;
  const packed = isFields(data) ? data[dataKey] : undefined;
  const known = new Map<string, Known>();
  if (typeof packed !== 'string') return known;
  try {
    const bytes = await gunzip(Buffer.from(packed, 'base64'), { maxOutputLength: maxTextBytes });
    const text = bytes.toString('utf8');
    const value: unknown = JSON.parse(text);
    if (!isFields(value) || value['version'] !== version || !Array.isArray(value['repositories'])) return known;
    for (const entry of value['repositories']) {
      const read = isFields(entry) ? readKnown(entry) : undefined;
      if (read) known.set(...read);
    }
  } catch {
    // Told nowhere: the next list takes its place.
  }
  return known;
}

function readKnown(entry: Readonly<Record<string, unknown>>): readonly [string, Known] | undefined {
  const { key, tags, memory, askedAtMs, changedAtMs, intervalMs, etag, createdMs, platforms, taken } = entry;
  const areNumbers = [askedAtMs, changedAtMs, intervalMs].every((one) => typeof one === 'number' && one >= 0);
  if (typeof key !== 'string' || !isTexts(tags) || !areNumbers || !isFields(memory)) return undefined;
  const { firstSeenMs, count, shortSinceMs } = memory;
  if (!isFields(firstSeenMs) || typeof count !== 'number') return undefined;
  const seen = Object.entries(firstSeenMs).filter((pair): pair is [string, number] => typeof pair[1] === 'number');
  return [
    key,
    {
      tags,
      memory: {
        firstSeenMs: Object.assign(Object.create(null) as Record<string, number>, Object.fromEntries(seen)),
        count,
        ...(typeof shortSinceMs === 'number' ? { shortSinceMs } : {}),
      },
      askedAtMs: Number(askedAtMs),
      changedAtMs: Number(changedAtMs),
      intervalMs: Number(intervalMs),
      ...(typeof etag === 'string' ? { etag } : {}),
      digests: new Map(),
      createdMs: new Map(pairsOf(createdMs, (one): one is number | null => one === null || typeof one === 'number')),
      platforms: new Map(pairsOf(platforms, (one): one is readonly string[] | null => one === null || isTexts(one))),
      taken: new Map(pairsOf(taken, (one): one is string => typeof one === 'string')),
    },
  ];
}

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((one) => typeof one === 'string');

function pairsOf<Value>(list: unknown, isValue: (one: unknown) => one is Value): readonly (readonly [string, Value])[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((pair: unknown) => {
    const [name, value] = Array.isArray(pair) ? (pair as readonly unknown[]) : [];
    return typeof name === 'string' && isValue(value) ? [[name, value] as const] : [];
  });
}
