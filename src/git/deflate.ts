import { constants, createInflate, deflateSync } from 'node:zlib';
import { AgentError } from '../lib/errors.ts';
import { inflateInto } from './inflate.ts';

/** zlib's own limits on its window, as powers of two. */
const SMALLEST_WINDOW = 9;
const LARGEST_WINDOW = 15;
/** How far from the end of its window zlib looks for repetitions at most. */
const LOOKAHEAD = 262;
/** More than this in one piece is left to zlib, so that a size that is a lie costs no memory. */
const MAX_CHUNK_BYTES = 1024 * 1024;

/**
 * One object's bytes as packs hold them. Objects are small, and a window of the usual size costs more to clear than they cost to
 * deflate; the window that is announced is the usual one all the same, as every reader of Git's packs knows it.
 */
export function deflated(content: Uint8Array): Buffer {
  const needed = Math.ceil(Math.log2(content.length + LOOKAHEAD));
  const windowBits = Math.min(Math.max(needed, SMALLEST_WINDOW), LARGEST_WINDOW);
  const memLevel = Math.max(windowBits - 7, 1);
  const chunkSize = chunkOf(content.length + (content.length >> 8));
  const bytes = deflateSync(content, { level: 1, windowBits, memLevel, chunkSize });
  bytes[0] = 0x78;
  bytes[1] = 0x01;
  return bytes;
}

/** Larger objects are not held. No manifest has a fourth of that; a few bytes of a pack can stand for gigabytes. */
export const LARGEST_OBJECT_BYTES = 64 * 1024 * 1024;

/** Throws GIT_TOO_LARGE where an object cannot be held. */
export function assertHeld(bytes: number): void {
  if (bytes <= LARGEST_OBJECT_BYTES) return;
  const shown = `${Math.ceil(bytes / 1024 / 1024)} MiB`;
  throw new AgentError('GIT_TOO_LARGE', `an object of the repository has ${shown}; the limit is 64 MiB`);
}

/** Inflates one entry of a pack, piece by piece, and holds none: whatever its size, that costs time and no memory. As `inflated`. */
export async function inflatedThrough(
  bytes: Uint8Array,
  size: number,
  onPiece: (piece: Buffer) => void,
): Promise<{ readonly used: number }> {
  const inflate = createInflate({ chunkSize: 256 * 1024, finishFlush: constants.Z_SYNC_FLUSH });
  const ends = new Promise<void>((resolve, reject) => {
    let length = 0;
    inflate.on('error', reject).on('end', () => {
      if (length === size) resolve();
      else reject(new Error('pack entry has another size than it says'));
    });
    inflate.on('data', (piece: Buffer) => {
      length += piece.length;
      if (length > size) inflate.destroy(new Error('pack entry has another size than it says'));
      else onPiece(piece);
    });
  });
  inflate.end(bytes);
  await ends;
  return { used: inflate.bytesWritten };
}

/** So much is inflated in one place and copied from there: nearly every object, and every delta. */
const KEPT_ROOM_BYTES = 64 * 1024;
const room = Buffer.allocUnsafeSlow(KEPT_ROOM_BYTES + 1);

/**
 * Inflates one entry of a pack, whose deflated bytes begin at `from`; `used` is their number. Bytes after the entry are ignored. GIT_TOO_LARGE where it is.
 * `isBrief`: nobody keeps the content, so that it may be a part of something larger.
 */
export function inflated(
  bytes: Uint8Array,
  from: number,
  size: number,
  isBrief = false,
): { content: Buffer; used: number } {
  assertHeld(size);
  if (size > KEPT_ROOM_BYTES) {
    // Pages that nothing is written to cost no memory, so a size that is a lie costs none.
    const whole = Buffer.allocUnsafeSlow(size + 1);
    return { used: inflateInto(bytes, from, whole, 0, size), content: whole.subarray(0, size) };
  }
  const used = inflateInto(bytes, from, room, 0, size);
  const content = isBrief ? Buffer.allocUnsafe(size) : Buffer.allocUnsafeSlow(size);
  room.copy(content, 0, 0, size);
  return { content, used };
}

const chunkOf = (bytes: number): number => Math.min(bytes + 64, MAX_CHUNK_BYTES);
