import type { FC } from 'hono/jsx';

/** Drawn once a page, used by name. */
export const Sprite: FC = () => (
  <svg class="sprite" aria-hidden="true" focusable="false">
    <symbol id="i-ok" viewBox="0 0 16 16">
      <circle cx="8" cy="8" r="7" fill="none" stroke="currentColor" stroke-width="1.6" />
      <path
        d="M4.8 8.3 7 10.5l4.3-4.8"
        fill="none"
        stroke="currentColor"
        stroke-width="1.8"
        stroke-linecap="round"
        stroke-linejoin="round"
      />
    </symbol>
    <symbol id="i-moving" viewBox="0 0 16 16">
      <circle cx="8" cy="8" r="7" fill="none" stroke="currentColor" stroke-width="1.6" />
      <path d="M8 4a4 4 0 0 1 0 8z" fill="currentColor" />
    </symbol>
    <symbol id="i-waits" viewBox="0 0 16 16">
      <rect x="1.2" y="1.2" width="13.6" height="13.6" rx="3.4" fill="none" stroke="currentColor" stroke-width="1.6" />
      <path d="M6.2 5v6M9.8 5v6" stroke="currentColor" stroke-width="1.9" stroke-linecap="round" />
    </symbol>
    <symbol id="i-failed" viewBox="0 0 16 16">
      <path d="M5.2 1h5.6L15 5.2v5.6L10.8 15H5.2L1 10.8V5.2z" fill="currentColor" />
      <path
        d="m5.6 5.6 4.8 4.8m0-4.8-4.8 4.8"
        class="on"
        stroke="var(--surface)"
        stroke-width="1.7"
        stroke-linecap="round"
      />
    </symbol>
    <symbol id="i-idle" viewBox="0 0 16 16">
      <circle cx="8" cy="8" r="6.6" fill="none" stroke="currentColor" stroke-width="1.5" stroke-dasharray="2.4 2.2" />
    </symbol>
    <symbol id="i-commit" viewBox="0 0 16 16">
      <circle cx="8" cy="8" r="3" fill="none" stroke="currentColor" stroke-width="1.6" />
      <path d="M1 8h4m6 0h4" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" />
    </symbol>
    <symbol id="i-step" viewBox="0 0 16 16">
      <path
        d="M2 13h4V8.5h4V4h4"
        fill="none"
        stroke="currentColor"
        stroke-width="1.7"
        stroke-linejoin="round"
        stroke-linecap="round"
      />
    </symbol>
    <symbol id="i-dot" viewBox="0 0 16 16">
      <circle cx="8" cy="8" r="2.4" fill="currentColor" />
    </symbol>
    <symbol id="i-theme" viewBox="0 0 16 16">
      <circle cx="8" cy="8" r="6.4" fill="none" stroke="currentColor" stroke-width="1.5" />
      <path d="M8 1.6a6.4 6.4 0 0 1 0 12.8z" fill="currentColor" />
    </symbol>
    <symbol id="i-bird" viewBox="0 0 24 24">
      <path
        d="M3 14.5c0-5 3.8-9 8.6-9 1.9 0 3.3.6 4.3 1.6l4.6-.9-2.6 3.4c.2.7.3 1.4.3 2.1 0 4.6-3.5 7.8-7.9 7.8-2 0-3.7-.6-4.9-1.7L2 20.5z"
        fill="currentColor"
      />
      <circle cx="14" cy="9.6" r="1.15" fill="var(--surface)" />
    </symbol>
  </svg>
);

export type IconName = 'ok' | 'moving' | 'waits' | 'failed' | 'idle' | 'commit' | 'step' | 'dot' | 'theme' | 'bird';

export const Icon: FC<{ readonly name: IconName }> = ({ name }) => (
  <svg class="icon" aria-hidden="true" focusable="false">
    <use href={`#i-${name}`} />
  </svg>
);
