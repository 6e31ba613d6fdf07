/**
 * Aborts when the process that started this one has ended, however it ended: the system then gives this one another parent, which
 * is all that can be seen of a parent that was killed.
 */
export function parentGone(everyMs = 300): AbortSignal {
  const gone = new AbortController();
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    gone.abort(new Error('the process that started this one has ended'));
  }, everyMs);
  timer.unref();
  return gone.signal;
}
