import type { Clock } from '../../lib/clock.ts';
import type { Container } from './kinds.ts';
import { type Listening, startProbe } from './probes.ts';

export interface Health {
  /** The startup probe has succeeded, or there is none. */
  readonly started: boolean;
  readonly ready: boolean;
}

export interface HealthOptions {
  readonly clock: Clock;
  readonly container: Container;
  readonly podIp: string;
  readonly listening: Listening;
  readonly changed: (health: Health) => void;
  /** One try of a probe has failed; `kind` as kubectl shows it. */
  readonly failed: (kind: string, failure: string) => void;
  /** The startup or liveness probe has failed too often. */
  readonly hopeless: (kind: string) => void;
}

/** Follows the probes of a container that runs. The returned function ends that. */
export function watchHealth(options: HealthOptions): () => void {
  const { container, changed, failed, hopeless } = options;
  const { startupProbe, readinessProbe, livenessProbe } = container;
  const ends: (() => void)[] = [];
  let health: Health = { started: false, ready: false };

  const become = (next: Health): void => {
    if (next.started === health.started && next.ready === health.ready) return;
    health = next;
    changed(health);
  };
  const follow = (kind: string, probe: typeof startupProbe, decided: (ok: boolean) => void): void => {
    if (!probe) return;
    const tried = (failure: string): void => failed(kind, failure);
    ends.push(startProbe({ ...options, probe, failed: tried, decided: (failure) => decided(failure === undefined) }));
  };
  const started = (): void => {
    if (health.started) return;
    become({ started: true, ready: readinessProbe === undefined });
    follow('Readiness', readinessProbe, (ready) => become({ started: true, ready }));
    follow('Liveness', livenessProbe, (alive) => {
      if (!alive) hopeless('liveness');
    });
  };
  if (!startupProbe) started();
  follow('Startup', startupProbe, (ok) => {
    if (!ok) return hopeless('startup');
    for (const end of ends.splice(0)) end();
    started();
  });
  return () => {
    for (const end of ends) end();
  };
}
