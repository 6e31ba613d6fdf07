/** What a person may do with the apps of a namespace: see them, or see and change them. */
export type Right = 'read' | 'operate';

/** Who looks at the dashboard. */
export interface Viewer {
  /** For people, in commits and events: one plain line, like `jane@example.com`. */
  readonly name: string;
  /** Whether there is a session that can be ended. */
  readonly isSignedIn: boolean;
  /** Decided before a page is made. `operate` includes `read`. */
  may(right: Right, namespace: string): boolean;
  /** In some namespace, known or not. */
  mayAnywhere(right: Right): boolean;
}

/** Whoever has not signed in and may do nothing. */
export const nobody: Viewer = {
  name: 'anonymous',
  isSignedIn: false,
  may: () => false,
  mayAnywhere: () => false,
};
