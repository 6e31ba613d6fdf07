import { assertHeld } from './deflate.ts';

/** The largest piece that one instruction copies; the format knows larger ones, git itself writes none. */
const MAX_COPY = 0x10000;
const MAX_INSERT = 127;

/**
 * How `target` is made of `base`, for two that differ in one stretch, as the versions of a long folder do. Undefined where they have
 * less than half in common. https://git-scm.com/docs/pack-format#_deltified_representation
 */
export function encodeDelta(base: Buffer, target: Buffer): Buffer | undefined {
  const start = commonStart(base, target);
  const end = commonEnd(base, target, start);
  const inserted = target.subarray(start, target.length - end);
  if (inserted.length * 2 > target.length) return undefined;
  const parts: number[] = [];
  pushSize(parts, base.length);
  pushSize(parts, target.length);
  pushCopies(parts, 0, start);
  for (let at = 0; at < inserted.length; at += MAX_INSERT) {
    const piece = inserted.subarray(at, at + MAX_INSERT);
    parts.push(piece.length, ...piece);
  }
  pushCopies(parts, base.length - end, end);
  return Buffer.from(parts);
}

function pushSize(parts: number[], size: number): void {
  let rest = size;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) parts.push((rest & 0x7f) | 0x80);
  parts.push(rest);
}

function pushCopies(parts: number[], from: number, length: number): void {
  for (let at = from, left = length; left > 0; at += MAX_COPY, left -= MAX_COPY) {
    const piece = Math.min(left, MAX_COPY);
    const op = parts.push(0x80) - 1;
    const put = (value: number, bytes: number, flag: number): void => {
      for (let index = 0; index < bytes; index += 1) {
        const byte = Math.floor(value / 256 ** index) & 0xff;
        if (byte === 0) continue;
        parts[op] = (parts[op] ?? 0) | (flag << index);
        parts.push(byte);
      }
    };
    put(at, 4, 1);
    // No length at all is the largest one.
    put(piece % MAX_COPY, 2, 16);
  }
}

function commonStart(a: Buffer, b: Buffer): number {
  let same = 0;
  let most = Math.min(a.length, b.length);
  while (same < most) {
    const tried = Math.ceil((same + most) / 2);
    if (a.compare(b, same, tried, same, tried) === 0) same = tried;
    else most = tried - 1;
  }
  return same;
}

/** Without the first bytes, which are spoken for. */
function commonEnd(a: Buffer, b: Buffer, start: number): number {
  let same = 0;
  let most = Math.min(a.length, b.length) - start;
  while (same < most) {
    const tried = Math.ceil((same + most) / 2);
    const [inB, inA] = [b.length - tried, a.length - tried];
    if (a.compare(b, inB, b.length - same, inA, a.length - same) === 0) same = tried;
    else most = tried - 1;
  }
  return same;
}

/** A call of Node's costs as much as so many bytes. */
const SMALL_COPY_BYTES = 32;

function copyBytes(from: Buffer, at: number, to: Buffer, toAt: number, length: number): void {
  if (length > SMALL_COPY_BYTES) from.copy(to, toAt, at, at + length);
  else for (let index = 0; index < length; index += 1) to[toAt + index] = from[at + index] ?? 0;
}

/** Where the number that begins at `at` ends. */
function endOfSize(delta: Buffer, at: number): number {
  let end = at;
  while ((delta[end] ?? 0) & 0x80) end += 1;
  if (end >= delta.length) throw new Error('delta is cut off');
  return end + 1;
}

function sizeAt(delta: Buffer, from: number, end: number): number {
  let value = 0;
  for (let at = end - 1; at >= from; at -= 1) value = value * 128 + ((delta[at] ?? 0) & 0x7f);
  return value;
}

/** `isBrief`: nobody keeps the result, so that it may be a part of something larger. */
export function applyDelta(delta: Buffer, base: Buffer, isBrief = false): Buffer {
  const baseEnd = endOfSize(delta, 0);
  let at = endOfSize(delta, baseEnd);
  if (sizeAt(delta, 0, baseEnd) !== base.length) throw new Error('delta belongs to another base');
  const wanted = sizeAt(delta, baseEnd, at);
  assertHeld(wanted);
  // Every byte of it is written, or nobody gets it. What may be kept for long is not from the pool.
  const target = isBrief ? Buffer.allocUnsafe(wanted) : Buffer.allocUnsafeSlow(wanted);
  const [end, baseBytes] = [delta.length, base.length];
  let written = 0;
  while (at < end) {
    const op = delta[at++] ?? 0;
    if (op & 0x80) {
      let from = 0;
      let length = 0;
      if (op & 0x01) from = delta[at++] ?? 0;
      if (op & 0x02) from |= (delta[at++] ?? 0) << 8;
      if (op & 0x04) from |= (delta[at++] ?? 0) << 16;
      if (op & 0x08) from += (delta[at++] ?? 0) * 0x1000000;
      if (op & 0x10) length = delta[at++] ?? 0;
      if (op & 0x20) length |= (delta[at++] ?? 0) << 8;
      if (op & 0x40) length |= (delta[at++] ?? 0) << 16;
      if (at > end) throw new Error('delta is cut off');
      if (length === 0) length = 0x10000;
      if (from + length > baseBytes || written + length > wanted) throw new Error('delta copies too much');
      copyBytes(base, from, target, written, length);
      written += length;
    } else {
      if (op === 0 || at + op > end || written + op > wanted) throw new Error('delta is damaged');
      copyBytes(delta, at, target, written, op);
      at += op;
      written += op;
    }
  }
  if (written !== wanted) throw new Error('delta result has the wrong size');
  return target;
}
