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
const SMALL_COPY_BYTES = 48;

function copyBytes(from: Buffer, at: number, to: Buffer, toAt: number, length: number): void {
  if (length > SMALL_COPY_BYTES) from.copy(to, toAt, at, at + length);
  else for (let index = 0; index < length; index += 1) to[toAt + index] = from[at + index] ?? 0;
}

/** `isBrief`: nobody keeps the result, so that it may be a part of something larger. */
export function applyDelta(delta: Buffer, base: Buffer, isBrief = false): Buffer {
  let at = 0;
  const size = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = delta[at++];
      if (byte === undefined) throw new Error('delta is cut off');
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  };
  if (size() !== base.length) throw new Error('delta belongs to another base');
  const wanted = size();
  assertHeld(wanted);
  // Every byte of it is written, or nobody gets it. What may be kept for long is not from the pool.
  const target = isBrief ? Buffer.allocUnsafe(wanted) : Buffer.allocUnsafeSlow(wanted);
  let written = 0;
  while (at < delta.length) {
    const op = delta[at++] ?? 0;
    if (op & 0x80) {
      let from = 0;
      let length = 0;
      for (let bit = 0; bit < 7; bit += 1) {
        if (!(op & (1 << bit))) continue;
        const byte = delta[at++];
        if (byte === undefined) throw new Error('delta is cut off');
        if (bit < 4) from += byte * 256 ** bit;
        else length += byte * 256 ** (bit - 4);
      }
      if (length === 0) length = 0x10000;
      if (from + length > base.length || written + length > wanted) throw new Error('delta copies too much');
      copyBytes(base, from, target, written, length);
      written += length;
    } else {
      if (op === 0 || at + op > delta.length || written + op > wanted) throw new Error('delta is damaged');
      copyBytes(delta, at, target, written, op);
      at += op;
      written += op;
    }
  }
  if (written !== wanted) throw new Error('delta result has the wrong size');
  return target;
}
