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

export function applyDelta(delta: Buffer, base: Buffer): Buffer {
  let at = 0;
  const byte = (): number => {
    const value = delta[at++];
    if (value === undefined) throw new Error('delta is cut off');
    return value;
  };
  const size = (): number => {
    let value = 0;
    let factor = 1;
    let part: number;
    do {
      part = byte();
      value += (part & 0x7f) * factor;
      factor *= 128;
    } while (part & 0x80);
    return value;
  };
  if (size() !== base.length) throw new Error('delta belongs to another base');
  const target = Buffer.alloc(size());
  let written = 0;
  while (at < delta.length) {
    const op = byte();
    if (op & 0x80) {
      let from = 0;
      let length = 0;
      for (let bit = 0; bit < 4; bit += 1) if (op & (1 << bit)) from += byte() * 256 ** bit;
      for (let bit = 0; bit < 3; bit += 1) if (op & (16 << bit)) length += byte() * 256 ** bit;
      if (length === 0) length = 0x10000;
      if (from + length > base.length || written + length > target.length) throw new Error('delta copies too much');
      base.copy(target, written, from, from + length);
      written += length;
    } else {
      if (op === 0 || at + op > delta.length || written + op > target.length) throw new Error('delta is damaged');
      delta.copy(target, written, at, at + op);
      at += op;
      written += op;
    }
  }
  if (written !== target.length) throw new Error('delta result has the wrong size');
  return target;
}
