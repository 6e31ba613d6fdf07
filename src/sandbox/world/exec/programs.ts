import { timestamp } from '../objects.ts';
import type { Console } from './execute.ts';

/** Gives the exit code. */
type ExecProgram = (words: readonly string[], console: Console) => number | Promise<number>;

/** The small programs of every container. */
export const programs: Readonly<Record<string, ExecProgram>> = {
  true: () => 0,
  false: () => 1,
  echo(words, { streams }) {
    const [first, ...rest] = words;
    streams.out(first === '-n' ? rest.join(' ') : `${words.join(' ')}\n`);
    return 0;
  },
  env: printEnvironment,
  printenv: printEnvironment,
  hostname: print(({ room }) => room.surroundings.pod.name),
  whoami: print(() => 'app'),
  id: print(() => 'uid=100(app) gid=101(app) groups=101(app)'),
  pwd: print(() => '/'),
  date: print(({ room }) => timestamp(room.surroundings.clock.now())),
  async sleep([text = ''], { room, signal, streams }) {
    const ms = Number(text.replace(/s$/, '')) * 1_000;
    if (!(ms >= 0)) return fail(streams, `sleep: invalid number '${text}'`);
    await room.surroundings.clock.sleep(ms, signal);
    return 0;
  },
  async cat(paths, { room, streams }) {
    if (paths.length === 0) for await (const chunk of streams.input ?? []) streams.out(chunk.toString('utf8'));
    let exitCode = 0;
    for (const path of paths) {
      const text = Object.hasOwn(room.files, path) ? room.files[path] : undefined;
      if (text === undefined) exitCode = fail(streams, `cat: can't open '${path}': No such file or directory`);
      else streams.out(text);
    }
    return exitCode;
  },
  ls(words, { room, streams }) {
    const [path = '/'] = words.filter((word) => !word.startsWith('-'));
    if (Object.hasOwn(room.files, path)) streams.out(`${path}\n`);
    else {
      const base = path === '/' ? '/' : `${path.replace(/\/$/, '')}/`;
      const below = Object.keys(room.files).filter((file) => file.startsWith(base));
      const names = [...new Set(below.map((file) => file.slice(base.length).split('/')[0] ?? ''))];
      if (names.length === 0 && base !== '/') return fail(streams, `ls: ${path}: No such file or directory`);
      streams.out(
        names
          .sort()
          .map((name) => `${name}\n`)
          .join(''),
      );
    }
    return 0;
  },
};

function print(text: (console: Console) => string): ExecProgram {
  return (_, console) => {
    console.streams.out(`${text(console)}\n`);
    return 0;
  };
}

function printEnvironment(names: readonly string[], { room, streams }: Console): number {
  const { env } = room.surroundings;
  if (names.length === 0) for (const [name, value] of Object.entries(env)) streams.out(`${name}=${value}\n`);
  for (const name of names) {
    if (!Object.hasOwn(env, name)) return 1;
    streams.out(`${env[name] ?? ''}\n`);
  }
  return 0;
}

function fail(streams: Console['streams'], text: string): number {
  streams.err(`${text}\n`);
  return 1;
}
