import { AgentError } from '../lib/errors.ts';
import { applyDelta } from './delta.ts';

/** Objects that are made of each other: `firstChild` and `nextSibling` of each, -1 where there is none. */
export interface DeltaForest {
  readonly firstChild: Int32Array;
  readonly nextSibling: Int32Array;
}

export function createForest(count: number): DeltaForest {
  return { firstChild: new Int32Array(count).fill(-1), nextSibling: new Int32Array(count).fill(-1) };
}

export function addChild({ firstChild, nextSibling }: DeltaForest, parent: number, child: number): void {
  nextSibling[child] = firstChild[parent] ?? -1;
  firstChild[parent] = child;
}

export interface Descent {
  readonly forest: DeltaForest;
  /** The first of what is made of the root, as `nextSibling` goes on. */
  readonly first: number;
  /** The root's content; asked for again where it was let go. */
  readonly root: () => Buffer;
  /** How a node is made of its parent. It may change when the next one is asked for. */
  readonly deltaOf: (node: number) => Buffer;
  /** Called with each node once, parents before children; may still add children to it. */
  readonly visit: (node: number, content: Buffer) => void;
  /** What is held of one way down, apart from the lowest; more is computed again. */
  readonly heldBytes: number;
  /** How much of it may be computed again. Beyond: GIT_TOO_LARGE. */
  readonly mostRemadeBytes?: number;
}

/** So much is made without others in between; each object counts at least so much. */
const UNBROKEN_BYTES = 64 * 1024;
const SMALL_OBJECT_BYTES = 1024;
/** What was let go and is made once more, because a pack may be built so that everything is. Git's own packs come to a fraction of it. */
const MOST_REMADE_BYTES = 8 * 1024 * 1024 * 1024;

/**
 * Computes everything that is made of one object, each once: however long chains are, and in whatever order the objects are wanted, no delta
 * is applied twice. Yields after some of them.
 */
export function* descend(descent: Descent): Generator<void, void> {
  const way = new Way(descent);
  while (way.goOn()) yield;
}

/** Puts those of siblings of which nothing is made before the others: so what they are made of need not be held, or made again, until those are done. */
function leavesFirst({ firstChild, nextSibling }: DeltaForest, first: number): number {
  if (first < 0 || (nextSibling[first] ?? -1) < 0) return first;
  const leaves: number[] = [];
  const others: number[] = [];
  for (let child = first; child >= 0; child = nextSibling[child] ?? -1)
    ((firstChild[child] ?? -1) < 0 ? leaves : others).push(child);
  if (leaves.length === 0 || others.length === 0) return first;
  const order = leaves.concat(others);
  for (let at = 0; at < order.length; at += 1) nextSibling[order[at] ?? 0] = order[at + 1] ?? -1;
  return order[0] ?? first;
}

/** From the root to what is being made, step by step: the node (-1: the root), its content where it is held, and its next child. */
class Way {
  readonly #descent: Descent;
  readonly #heldBytes: number;
  readonly #nodes: number[] = [-1];
  readonly #contents: (Buffer | undefined)[] = [undefined];
  readonly #next: number[];
  #held = 0;
  /** Nothing above is held. */
  #highest = 0;
  /** How far down the way has been made once more; -1: nothing is to be. */
  #remadeTo = -1;
  #remadeBytes = 0;

  constructor(descent: Descent) {
    this.#descent = descent;
    this.#heldBytes = descent.heldBytes;
    this.#next = [leavesFirst(descent.forest, descent.first)];
  }

  /** False: all is made. */
  goOn(): boolean {
    for (let made = 0; made < UNBROKEN_BYTES; ) {
      const last = this.#next.length - 1;
      if (last < 0) return false;
      const node = this.#next[last] ?? -1;
      const base = this.#contents[last];
      if (node < 0) this.#leave();
      else made += SMALL_OBJECT_BYTES + (base ? this.#make(node, last, base) : this.#remake(last));
    }
    return true;
  }

  #leave(): void {
    this.#nodes.pop();
    this.#next.pop();
    this.#held -= this.#contents.pop()?.length ?? 0;
  }

  #make(node: number, last: number, base: Buffer): number {
    const { forest, visit, deltaOf } = this.#descent;
    const content = applyDelta(deltaOf(node), base, true);
    visit(node, content);
    const sibling = forest.nextSibling[node] ?? -1;
    this.#next[last] = sibling;
    const child = forest.firstChild[node] ?? -1;
    if (child < 0) return content.length;
    // All siblings of a chain's last step have been made: what is above is needed no more.
    if (sibling < 0) this.#letGo(last);
    this.#nodes.push(node);
    this.#contents.push(undefined);
    this.#next.push(leavesFirst(forest, child));
    this.#hold(last + 1, content);
    return content.length;
  }

  /** One step of what was let go on the way to this depth: from the lowest that is held, or from the root. */
  #remake(last: number): number {
    let depth = this.#remadeTo + 1;
    if (depth === 0) for (depth = last; depth > 0 && !this.#contents[depth - 1]; ) depth -= 1;
    const above = this.#contents[depth - 1];
    const content = above
      ? applyDelta(this.#descent.deltaOf(this.#nodes[depth] ?? -1), above, true)
      : this.#descent.root();
    this.#remadeBytes += content.length + SMALL_OBJECT_BYTES;
    if (this.#remadeBytes > (this.#descent.mostRemadeBytes ?? MOST_REMADE_BYTES))
      throw new AgentError('GIT_TOO_LARGE', 'objects of the repository are made of each other in too many ways');
    this.#remadeTo = depth < last ? depth : -1;
    this.#hold(depth, content);
    return content.length;
  }

  /** Lets go what is highest, where that is too much. */
  #hold(depth: number, content: Buffer): void {
    this.#contents[depth] = content;
    this.#held += content.length;
    this.#highest = Math.min(this.#highest, depth);
    for (; this.#held > this.#heldBytes && this.#highest < depth; this.#highest += 1) this.#letGo(this.#highest);
  }

  #letGo(depth: number): void {
    this.#held -= this.#contents[depth]?.length ?? 0;
    this.#contents[depth] = undefined;
  }
}
