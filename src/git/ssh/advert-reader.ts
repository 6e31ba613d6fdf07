/** Reads what a Git service begins with, up to its first flush, however it is cut into pieces. */
export class AdvertReader {
  readonly #chunks: Buffer[] = [];
  /** Digits of the length of the packet that comes. */
  #head = '';
  /** Bytes of the packet that are still to come. */
  #left = 0;

  /** `garbage`: no packet line; what was read so far is kept. What comes behind the flush is no part of it. */
  push(chunk: Buffer): 'more' | 'whole' | 'garbage' {
    this.#chunks.push(chunk);
    let at = 0;
    while (at < chunk.length) {
      if (this.#left > 0) {
        const taken = Math.min(this.#left, chunk.length - at);
        this.#left -= taken;
        at += taken;
        continue;
      }
      this.#head += chunk.toString('latin1', at, at + 1);
      at += 1;
      if (!/^[0-9a-fA-F]+$/.test(this.#head)) return 'garbage';
      if (this.#head.length < 4) continue;
      const length = Number.parseInt(this.#head, 16);
      this.#head = '';
      if (length > 65_520 || (length > 0 && length < 4)) return 'garbage';
      if (length === 0) {
        this.#chunks.push((this.#chunks.pop() ?? chunk).subarray(0, at));
        return 'whole';
      }
      this.#left = length - 4;
    }
    return 'more';
  }

  bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  get isVersion2(): boolean {
    return this.bytes().toString('latin1', 4, 13) === 'version 2';
  }
}
