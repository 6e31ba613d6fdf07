import type { Change } from './feed.ts';
import type { AgentDoor } from './questions.ts';
import type { UiSettings } from './settings.ts';

/** What the agent sends to the dashboard's thread. */
export type ToThread =
  /** Changes in their order; the thread says when it has taken them. */
  | { readonly kind: 'changes'; readonly number: number; readonly changes: readonly Change[] }
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  /** `message`: for people. */
  | { readonly kind: 'no-answer'; readonly id: number; readonly status: 404 | 409 | 503; readonly message: string }
  | { readonly kind: 'close' };

/** What the thread sends to the agent. */
export type FromThread =
  | { readonly kind: 'listening'; readonly port: number }
  /** It cannot begin; `message` is for the operator. */
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'taken'; readonly number: number }
  | {
      readonly kind: 'question';
      readonly id: number;
      readonly name: keyof AgentDoor;
      readonly args: readonly unknown[];
    }
  | {
      readonly kind: 'log';
      readonly level: 'info' | 'warn' | 'error';
      readonly fields: Readonly<Record<string, unknown>>;
      readonly text: string;
    }
  | { readonly kind: 'closed' };

/** What a thread is begun with. */
export interface ThreadData {
  readonly settings: UiSettings;
}

/** One end of a channel: a thread's, or one of a MessageChannel. */
export interface Port<Sent, Received> {
  postMessage(message: Sent): void;
  on(event: 'message', listener: (message: Received) => void): void;
}
