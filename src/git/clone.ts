import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { mkdir, readFile, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import git from 'isomorphic-git';
import { AgentError } from '../lib/errors.ts';
import { syncFile, syncFolder } from './durable.ts';
import type { ObjectStore } from './object-store.ts';
import { parsePackIndex } from './pack-index.ts';
import { malformed } from './pkt-line.ts';
import { asRevision, type Revision } from './repo.ts';
import type { Transport } from './transport.ts';
import { assertReadable, type WireLimits } from './upload-pack.ts';

export interface CloneCall {
  readonly transport: Transport;
  readonly limits: WireLimits;
  readonly branch: string;
  /** Scratch folder on the same file system as the store; removed at the end. */
  readonly staging: string;
  readonly store: ObjectStore;
}

/**
 * The first download, by isomorphic-git: the branch's tip with its whole tree, without history, tags and checkout.
 * Gives that tip. Its pack moves into the store after it has been checked. Also the only way to read a server without protocol 2.
 */
export async function cloneTip(
  { transport, limits, branch, staging, store }: CloneCall,
  signal: AbortSignal,
): Promise<Revision> {
  await rm(staging, { recursive: true, force: true });
  try {
    await git.clone({
      fs,
      http: { request: (request) => exchange(transport, limits, request, signal) },
      dir: staging,
      gitdir: staging,
      url: transport.url,
      ref: branch,
      singleBranch: true,
      depth: 1,
      noCheckout: true,
      noTags: true,
    });
    const tip = await git.resolveRef({ fs, gitdir: staging, ref: `refs/remotes/origin/${branch}` });
    await moveIn(staging, store);
    return asRevision(tip);
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    if (cause instanceof AgentError) throw cause;
    if (cause instanceof git.Errors.NotFoundError) {
      throw new AgentError('GIT_NOT_FOUND', `${transport.url}: there is no branch ${branch}`, { cause });
    }
    throw new AgentError('GIT_PROTOCOL', `${transport.url}: the clone failed`, { cause });
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/**
 * The body is read to its end first: an error in the middle of a stream would be lost in isomorphic-git's demultiplexer.
 * isomorphic-git asks for one URL only, the repository's, and the transport adds credentials.
 */
async function exchange(
  transport: Transport,
  limits: WireLimits,
  request: git.GitHttpRequest,
  signal: AbortSignal,
): Promise<git.GitHttpResponse> {
  const parts: Uint8Array[] = [];
  for await (const part of request.body ?? []) parts.push(part);
  const answer = await transport.exchange(
    {
      method: request.method === 'POST' ? 'POST' : 'GET',
      path: request.url.slice(transport.url.length),
      headers: request.headers ?? {},
      ...(parts.length === 0 ? {} : { body: Buffer.concat(parts) }),
      timeoutMs: limits.fetchTimeoutMs,
      maxBytes: limits.maxPackBytes,
    },
    signal,
  );
  assertReadable(answer, transport.url, 'application/x-git-upload-pack-');
  async function* body(): AsyncGenerator<Uint8Array> {
    yield answer.body;
  }
  return {
    url: request.url,
    method: request.method ?? 'GET',
    statusCode: answer.status,
    statusMessage: '',
    headers: { 'content-type': answer.contentType },
    body: body(),
  };
}

/** isomorphic-git neither verifies a pack's checksum nor reports objects that it could not read; both is done here. */
async function moveIn(staging: string, store: ObjectStore): Promise<void> {
  const from = join(staging, 'objects', 'pack');
  const names = (await readdir(from).catch(() => [])).filter((name) => name.endsWith('.idx'));
  for (const name of names) {
    const stem = name.slice(0, -'.idx'.length);
    const pack = await readFile(join(from, `${stem}.pack`));
    const index = parsePackIndex(await readFile(join(from, name)));
    const sum = createHash('sha1').update(pack.subarray(0, -20)).digest('hex');
    if (sum !== pack.toString('hex', pack.length - 20) || sum !== index.packChecksum) {
      throw malformed('the pack is damaged');
    }
    if (index.count !== pack.readUInt32BE(8)) throw malformed('the pack holds objects that cannot be read');
    await mkdir(store.folder, { recursive: true });
    for (const ending of ['.pack', '.idx']) {
      await syncFile(join(from, stem + ending));
      await rename(join(from, stem + ending), join(store.folder, stem + ending));
    }
    await syncFolder(store.folder);
    store.adopt(stem);
  }
}
