/*
 * Begins programs for the tests' processes. To fork one of hundreds of MB costs more than what git does afterwards, and this one is small.
 * A connection is a program: a line of JSON, then its standard input until the end. Back come frames: kind, length, bytes.
 */
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { stderr, stdout, event } from './frames.mjs';

const running = new Set();
const server = createServer({ allowHalfOpen: true }, serve);
server.listen(process.argv[2], () => process.send('listening'));

// Nothing outlives the tests.
process.on('disconnect', () => process.exit());
process.on('exit', () => {
  for (const program of running) program.kill('SIGKILL');
});

function serve(socket) {
  let head = Buffer.alloc(0);
  const read = (chunk) => {
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\n');
    if (end < 0) return;
    socket.off('data', read);
    begin(socket, JSON.parse(head.toString('utf8', 0, end)), head.subarray(end + 1));
  };
  socket.on('data', read).on('error', () => undefined);
}

function begin(socket, { file, args, env, cwd, isErrorRead }, input) {
  const program = spawn(file, args, { env, cwd, stdio: ['pipe', 'pipe', isErrorRead ? 'pipe' : 'ignore'] });
  running.add(program);
  const send = (kind, bytes) => {
    const head = Buffer.alloc(5);
    head[0] = kind;
    head.writeUInt32BE(bytes.length, 1);
    return socket.write(Buffer.concat([head, bytes]));
  };
  const tell = (what) => send(event, Buffer.from(JSON.stringify(what)));
  // Nobody is left who would read it.
  socket.on('close', () => program.kill());
  program.on('error', ({ message, code }) => tell({ kind: 'error', message, code }));
  if (program.pid !== undefined) tell({ kind: 'begun', pid: program.pid });
  program.on('close', (code, signal) => {
    running.delete(program);
    tell({ kind: 'ended', code, signal });
    socket.end();
  });
  // It may end without having read everything.
  program.stdin.on('error', () => undefined).on('close', () => socket.resume());
  if (input.length > 0) program.stdin.write(input);
  socket.pipe(program.stdin);
  pass(program.stdout, stdout);
  if (isErrorRead) pass(program.stderr, stderr);

  function pass(stream, kind) {
    stream.on('data', (chunk) => {
      if (send(kind, chunk)) return;
      stream.pause();
      socket.once('drain', () => stream.resume());
    });
  }
}
