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
  /** How a node is made of its parent. */
  readonly deltaOf: (node: number) => Buffer;
  /** Called with each node once, parents before children; may still add children to it. */
  readonly visit: (node: number, content: Buffer) => void;
  /** What is held of one way down, apart from the lowest; more is computed again. */
  readonly heldBytes?: number;
}

const HELD_BYTES = 16 * 1024 * 1024;

interface Step {
  /** -1: the root. */
  readonly node: number;
  content: Buffer | undefined;
  next: number;
}

/**
 * Computes everything that is made of one object, each once: however long chains are, and in whatever order the objects are wanted, no delta
 * is applied twice. Yields after each.
 */
export function* descend({
  forest,
  first,
  root,
  deltaOf,
  visit,
  heldBytes = HELD_BYTES,
}: Descent): Generator<void, void> {
  const way: Step[] = [{ node: -1, content: undefined, next: first }];
  let held = 0;
  const contentOf = (depth: number): Buffer => {
    const step = way[depth];
    if (!step) throw new Error('a way without steps');
    if (step.content) return step.content;
    step.content = depth === 0 ? root() : applyDelta(deltaOf(step.node), contentOf(depth - 1), true);
    held += step.content.length;
    return step.content;
  };
  for (let step = way.at(-1); step; step = way.at(-1)) {
    const node = step.next;
    if (node < 0) {
      way.pop();
      held -= step.content?.length ?? 0;
      continue;
    }
    step.next = forest.nextSibling[node] ?? -1;
    const content = applyDelta(deltaOf(node), contentOf(way.length - 1), true);
    visit(node, content);
    const child = forest.firstChild[node] ?? -1;
    if (child >= 0) {
      // All siblings of a chain's last step have been made: what is above is needed no more.
      if (step.next < 0) {
        held -= step.content?.length ?? 0;
        step.content = undefined;
      }
      held += content.length;
      way.push({ node, content, next: child });
      for (let depth = 0; held > heldBytes && depth < way.length - 1; depth += 1) {
        held -= way[depth]?.content?.length ?? 0;
        const above = way[depth];
        if (above) above.content = undefined;
      }
    }
    yield;
  }
}
