import { spawn as spawnHere, type SpawnOptions } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { connect } from 'node:net';
import { Readable, Writable } from 'node:stream';
import * as frames from './frames.mjs';

/** The path of the starter's socket. */
export const starterVariable = 'TEST_STARTER';

type Told =
  | { readonly kind: 'begun'; readonly pid: number }
  | { readonly kind: 'error'; readonly message: string; readonly code?: string }
  | { readonly kind: 'ended'; readonly code: number | null; readonly signal: NodeJS.Signals | null };

/** What the sandbox uses of a ChildProcess. */
class Program extends EventEmitter {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  pid: number | undefined;
  exitCode: number | null = null;
  signalCode: NodeJS.Signals | null = null;
  #isEnded = false;
  #killedWith: NodeJS.Signals | undefined;

  constructor(starter: string, file: string, args: readonly string[], { env, cwd, stdio }: SpawnOptions) {
    super();
    const isErrorRead = !Array.isArray(stdio) || stdio[2] !== 'ignore';
    const socket = connect({ path: starter, allowHalfOpen: true });
    socket.write(`${JSON.stringify({ file, args, env, cwd, isErrorRead })}\n`);
    this.stdin = new Writable({
      write: (chunk: Buffer, _encoding, done) => void socket.write(chunk, done),
      final: (done) => void socket.end(done),
      destroy: (error, done) => {
        socket.end();
        done(error);
      },
    });
    const read = (): void => void socket.resume();
    this.stdout = new Readable({ read });
    this.stderr = new Readable({ read });
    let left = 2;
    const closed = (): void => {
      left -= 1;
      if (left > 0) return;
      socket.destroy();
      this.emit('close', this.exitCode, this.signalCode);
    };
    this.stdout.once('close', closed);
    this.stderr.once('close', closed);
    if (!isErrorRead) this.stderr.resume();

    let rest: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      while (rest.length >= 5) {
        const end = 5 + rest.readUInt32BE(1);
        if (rest.length < end) return;
        const [kind, bytes] = [rest[0], rest.subarray(5, end)];
        rest = rest.subarray(end);
        if (kind === frames.event) this.#hear(JSON.parse(bytes.toString('utf8')) as Told);
        else if (!(kind === frames.stdout ? this.stdout : this.stderr).push(bytes)) socket.pause();
      }
    });
    socket.on('error', (error) => this.#isEnded || this.emit('error', error));
    socket.on('end', () => this.#hear({ kind: 'ended', code: null, signal: null }));
  }

  #hear(told: Told): void {
    if (told.kind === 'error') this.emit('error', Object.assign(new Error(told.message), { code: told.code }));
    else if (told.kind === 'begun') {
      this.pid = told.pid;
      if (this.#killedWith) this.kill(this.#killedWith);
    } else if (!this.#isEnded) {
      this.#isEnded = true;
      this.exitCode = told.code;
      this.signalCode = told.signal;
      this.emit('exit', told.code, told.signal);
      this.stdout.push(null);
      this.stderr.push(null);
    }
  }

  kill(signal: NodeJS.Signals = 'SIGTERM'): boolean {
    if (this.#isEnded) return false;
    this.#killedWith = signal;
    try {
      return this.pid === undefined || process.kill(this.pid, signal);
    } catch {
      // It has just ended by itself.
      return false;
    }
  }
}

/** In the place of that of `node:child_process`: the starter begins the program, if there is one. */
export function spawn(file: string, args: readonly string[], options: SpawnOptions = {}): EventEmitter {
  const starter = process.env[starterVariable];
  return starter === undefined ? spawnHere(file, args, options) : new Program(starter, file, args, options);
}
