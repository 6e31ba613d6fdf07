import { createHash } from 'node:crypto';

export interface WebSocketConnection {
  receive(bytes: Buffer): void;
  /** A binary message. */
  send(bytes: Buffer): void;
  /** Says goodbye; the client closes. */
  end(): void;
}

const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };
const maxMessageBytes = 1 << 20;

/** Of the handshake's answer: https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2 */
export function acceptKey(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

/** The server's side, without extensions. `onClose` also hears of what cannot be read. */
export function openWebSocket(
  write: (bytes: Buffer) => void,
  onMessage: (bytes: Buffer) => void,
  onClose: () => void,
): WebSocketConnection {
  let waiting = Buffer.alloc(0);
  let message: Buffer[] = [];
  let ended = false;
  const frame = (opcode: number, body: Buffer): void => {
    const long = body.length > 65_535;
    const head = Buffer.alloc(body.length < 126 ? 2 : long ? 10 : 4);
    head.writeUInt8(0x80 | opcode, 0);
    if (body.length < 126) head.writeUInt8(body.length, 1);
    else if (long) {
      head.writeUInt8(127, 1);
      head.writeBigUInt64BE(BigInt(body.length), 2);
    } else {
      head.writeUInt8(126, 1);
      head.writeUInt16BE(body.length, 2);
    }
    write(Buffer.concat([head, body]));
  };
  const end = (): void => {
    if (!ended) frame(opcodes.close, Buffer.from([0x03, 0xe8]));
    ended = true;
  };
  const take = (opcode: number, isLast: boolean, body: Buffer): void => {
    if (opcode === opcodes.ping) return frame(opcodes.pong, body);
    if (opcode === opcodes.pong) return undefined;
    if (opcode === opcodes.close) {
      end();
      return onClose();
    }
    message.push(body);
    if (message.reduce((sum, part) => sum + part.length, 0) > maxMessageBytes) return onClose();
    if (!isLast) return undefined;
    const whole = Buffer.concat(message);
    message = [];
    return onMessage(whole);
  };
  return {
    receive(bytes) {
      waiting = Buffer.concat([waiting, bytes]);
      for (;;) {
        const found = readFrame(waiting);
        if (found === undefined) return;
        if (found.length > maxMessageBytes) return onClose();
        if (waiting.length < found.start + found.length) return;
        const body = Buffer.from(waiting.subarray(found.start, found.start + found.length));
        for (let at = 0; at < body.length; at += 1) body[at] = (body[at] ?? 0) ^ (found.mask[at % 4] ?? 0);
        waiting = waiting.subarray(found.start + found.length);
        take(found.opcode, found.isLast, body);
      }
    },
    send: (bytes) => {
      if (!ended) frame(opcodes.binary, bytes);
    },
    end,
  };
}

/** Undefined while its head is not there as a whole. Clients mask all that they send. */
function readFrame(
  bytes: Buffer,
): { opcode: number; isLast: boolean; start: number; length: number; mask: Buffer } | undefined {
  if (bytes.length < 2) return undefined;
  const [first, second] = [bytes.readUInt8(0), bytes.readUInt8(1)];
  const short = second & 0x7f;
  const more = short === 126 ? 2 : short === 127 ? 8 : 0;
  const masked = (second & 0x80) !== 0 ? 4 : 0;
  const start = 2 + more + masked;
  if (bytes.length < start) return undefined;
  const length = more === 0 ? short : more === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  const mask = masked === 0 ? Buffer.alloc(4) : bytes.subarray(2 + more, start);
  return { opcode: first & 0x0f, isLast: (first & 0x80) !== 0, start, length, mask };
}
