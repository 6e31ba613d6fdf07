import type { KubeObject } from '../manifest/types.ts';

/**
 * The answer to a write and the watch tell the same object in the same bytes, so it is parsed once: of a promotion's changes two thirds
 * are our own.
 */
export interface Echoes {
  /** Reads the answer to a write. Throws SyntaxError where it is no JSON. */
  readonly read: (answer: string) => unknown;
  /** What a watch's line says; nobody may change it. Throws SyntaxError where it is no JSON. */
  readonly hear: (line: string) => unknown;
}

/** An echo comes within milliseconds; what is not heard of by then is parsed like any other change. */
const kept = 128;
/** Longer ones are few, and would be held in memory for nothing where nobody watches their kind. */
const keptLength = 32_768;
/** Values of these are not kept in memory. */
const unkept: ReadonlySet<string> = new Set(['ConfigMap', 'Secret']);
const heads = ['{"type":"MODIFIED","object":', '{"type":"ADDED","object":'] as const;

export function createEchoes(): Echoes {
  const written = new Map<string, { readonly text: string; readonly object: KubeObject }>();
  /** Versions that a watch told first: nobody waits for their answers. */
  const heard = new Set<string>();
  return {
    read(answer) {
      const value = JSON.parse(answer) as KubeObject;
      const version = answer.length > keptLength || unkept.has(value.kind) ? undefined : versionIn(answer);
      if (version === undefined || heard.delete(version)) return value;
      makeRoom(written);
      written.set(version, { text: answer.trimEnd(), object: value });
      return value;
    },
    hear(line) {
      const head = heads.find((candidate) => line.startsWith(candidate));
      const version = head && versionIn(line);
      const own = version === undefined ? undefined : written.get(version);
      if (head && version && !own) {
        makeRoom(heard);
        heard.add(version);
      }
      if (!head || !version || !own) return JSON.parse(line) as unknown;
      const isEcho = line.length === head.length + own.text.length + 1 && line.startsWith(own.text, head.length);
      if (!isEcho) return JSON.parse(line) as unknown;
      written.delete(version);
      return { type: head === heads[0] ? 'MODIFIED' : 'ADDED', object: own.object };
    },
  };
}

function makeRoom(entries: Map<string, unknown> | Set<string>): void {
  for (const oldest of entries.keys()) {
    if (entries.size < kept) return;
    entries.delete(oldest);
  }
}

const field = '"resourceVersion":"';

/** The version that an object's JSON names first: nearly always its own. Undefined: none. */
export function versionIn(text: string): string | undefined {
  const at = text.indexOf(field);
  if (at < 0) return undefined;
  const from = at + field.length;
  return text.slice(from, text.indexOf('"', from));
}

/** The names and the version in an answer, without reading the rest where that is safe. Throws SyntaxError where it is no JSON. */
export function versionOnly(answer: string): unknown {
  const version = versionIn(answer);
  const isAlone = version !== undefined && answer.indexOf(field) === answer.lastIndexOf(field);
  return isAlone ? { metadata: { resourceVersion: version } } : (JSON.parse(answer) as unknown);
}
