import { messageOf } from '../lib/errors.ts';
import { createOutbox, type Outbox } from '../lib/outbox.ts';
import { createAlerts } from './alerts.ts';
import { createCanarySeries } from './canary-series.ts';
import { createDropReport } from './drop-report.ts';
import { createEventHooks } from './event-hooks.ts';
import type { EventRecorder } from './event-recorder.ts';
import { createLogOutlet } from './log-outlet.ts';
import { createOutlets, type Outlet, type OutletDeps, type Outlets } from './outlet.ts';

/** Messages that may wait for one receiver. */
const outboxLimit = 1_000;

/** All outlets, by name. `recorder` writes events of other objects, too. */
export function allOutlets(deps: OutletDeps, recorder: EventRecorder): readonly Outlet[] {
  const onDropped = createDropReport(deps);
  const newOutbox = (): Outbox =>
    createOutbox({
      clock: deps.clock,
      limit: outboxLimit,
      onDropped,
      onError: (_receiver, error) => deps.log.error({ reason: messageOf(error) }, 'a message could not be sent'),
    });
  return [
    createLogOutlet(deps.log),
    eventOutlet(recorder),
    webhookOutlet(deps, newOutbox()),
    alertOutlet(deps, newOutbox(), recorder),
    metricOutlet(deps),
  ];
}

/** `more`: told after all others. */
export const openOutlets = (deps: OutletDeps, recorder: EventRecorder, more: readonly Outlet[] = []): Outlets =>
  createOutlets([...allOutlets(deps, recorder), ...more], deps.log);

/** Kubernetes events. */
const eventOutlet = (recorder: EventRecorder): Outlet => ({
  name: 'events',
  tell: (happening) => {
    if (happening.kind === 'said') recorder.record(happening.canary, happening.event);
  },
  close: (ms) => recorder.drain(ms),
});

/** Webhooks of type `event`. */
function webhookOutlet(deps: OutletDeps, outbox: Outbox): Outlet {
  const tellHooks = createEventHooks(deps, outbox);
  return {
    name: 'event webhooks',
    tell: (happening) => {
      if (happening.kind === 'said') tellHooks(happening.canary, happening.spec, happening.event);
    },
    close: (ms) => outbox.close(ms),
  };
}

/** AlertProviders, and the notifier of the settings. */
function alertOutlet(deps: OutletDeps, outbox: Outbox, recorder: EventRecorder): Outlet {
  const alerts = createAlerts(deps, outbox, ({ canary }, message) =>
    recorder.record(canary, { type: 'Warning', level: 'error', message }),
  );
  return {
    name: 'alerts',
    tell: (happening) => {
      if (happening.kind === 'alerted') alerts.send(happening, happening);
    },
    close: (ms) => outbox.close(ms),
  };
}

/** What `/metrics` says of canaries. */
function metricOutlet({ telemetry }: OutletDeps): Outlet {
  const series = createCanarySeries(telemetry);
  return {
    name: 'metrics',
    tell: (happening) => {
      if (happening.kind === 'looked') series.show(happening);
      else if (happening.kind === 'measured') series.measured(happening);
      else if (happening.kind === 'gone') series.forget(happening.app);
    },
  };
}
