import { createHash, hash } from 'node:crypto';
import type { CommitInfo, Revision, Signature, TagDraft } from './repo.ts';
import { asRevision } from './repo.ts';

export type ObjectType = 'commit' | 'tree' | 'blob' | 'tag';

export interface GitObject {
  readonly type: ObjectType;
  readonly content: Buffer;
}

/** An object that is not stored yet. */
export interface NewObject extends GitObject {
  readonly oid: string;
}

/** So much is hashed in one call: a hash object of Node's costs more than what it does with a hundred bytes. */
const SMALL_BYTES = 16 * 1024;
const hashed = Buffer.allocUnsafeSlow(SMALL_BYTES + 64);

export function objectId(type: ObjectType, content: Uint8Array): string {
  if (content.length <= SMALL_BYTES) {
    const head = hashed.write(`${type} ${content.length}\0`, 'latin1');
    hashed.set(content, head);
    return hash('sha1', hashed.subarray(0, head + content.length));
  }
  return createHash('sha1').update(`${type} ${content.length}\0`).update(content).digest('hex');
}

export function newObject(type: ObjectType, content: Buffer): NewObject {
  return { type, content, oid: objectId(type, content) };
}

export interface ParsedCommit extends CommitInfo {
  readonly tree: string;
}

export function parseCommit(revision: Revision, content: Buffer): ParsedCommit {
  const { headers, message } = splitMessage(content.toString('utf8'));
  const tree = headers.find(([name]) => name === 'tree')?.[1];
  if (!tree) throw new Error(`commit ${revision} has no tree`);
  return {
    revision,
    tree,
    parents: headers.filter(([name]) => name === 'parent').map(([, oid]) => asRevision(oid)),
    author: parseSignature(headers.find(([name]) => name === 'author')?.[1] ?? ''),
    message,
  };
}

export function parseTag(content: Buffer): { target: string; message: string } {
  const { headers, message } = splitMessage(content.toString('utf8'));
  return { target: headers.find(([name]) => name === 'object')?.[1] ?? '', message };
}

/** Header lines until the first empty line; continuation lines (signatures) belong to the header before them. */
function splitMessage(text: string): { headers: [string, string][]; message: string } {
  const end = text.indexOf('\n\n');
  const head = end < 0 ? text : text.slice(0, end);
  const headers: [string, string][] = [];
  for (const line of head.split('\n')) {
    const space = line.indexOf(' ');
    if (space > 0) headers.push([line.slice(0, space), line.slice(space + 1)]);
  }
  return { headers, message: end < 0 ? '' : text.slice(end + 2) };
}

function parseSignature(text: string): Signature {
  const match = /^(.*?) ?<(.*)> (-?\d+)(?: [+-]\d{4})?$/.exec(text);
  return { name: match?.[1] ?? text, email: match?.[2] ?? '', atMs: Number(match?.[3] ?? 0) * 1000 };
}

export function encodeCommit(tree: string, parent: Revision, author: Signature, message: string): Buffer {
  const who = encodeSignature(author);
  return Buffer.from(`tree ${tree}\nparent ${parent}\nauthor ${who}\ncommitter ${who}\n\n${closed(message)}`, 'utf8');
}

export function encodeTag({ name, target, tagger, message }: TagDraft): Buffer {
  const head = `object ${target}\ntype commit\ntag ${name}\ntagger ${encodeSignature(tagger)}`;
  return Buffer.from(`${head}\n\n${closed(message)}`, 'utf8');
}

export const closed = (message: string): string => (message.endsWith('\n') ? message : `${message}\n`);

function encodeSignature({ name, email, atMs }: Signature): string {
  const clean = (text: string): string => text.replace(/[<>\n\r\0]/g, '').trim();
  return `${clean(name) || 'unknown'} <${clean(email)}> ${Math.floor(atMs / 1000)} +0000`;
}
