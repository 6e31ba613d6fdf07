// Keeps a page current. Everything here can also be read without it.
import { ago } from './ago.js';

const root = document.documentElement;
const main = document.querySelector('main');
/** The server's clock less this one's. */
let skewMs = Number(main?.dataset.now ?? Date.now()) - Date.now();
const nowMs = () => Date.now() + skewMs;

/* Times */

function tellTimes() {
  for (const time of document.querySelectorAll('time[data-ago]')) {
    const text = ago(Date.parse(time.dateTime), nowMs());
    if (time.textContent !== text) time.textContent = text;
  }
}
setInterval(() => {
  if (!document.hidden) tellTimes();
}, 1000);

/* Theme and keys */

document.querySelector('[data-theme-switch]')?.addEventListener('click', () => {
  const isDark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = isDark ? 'light' : 'dark';
  try {
    localStorage.setItem('serin-theme', root.dataset.theme);
  } catch {
    // Then only for this page.
  }
  document.dispatchEvent(new Event('serin-theme'));
});

document.addEventListener('keydown', (event) => {
  if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target instanceof Element && event.target.closest('input, select, textarea')) return;
  event.preventDefault();
  document.querySelector('.search input')?.focus();
});

for (const select of document.querySelectorAll('.filters select')) {
  select.addEventListener('change', () => select.form?.requestSubmit());
}

/* Parts */

/** The element of a markup that the server made. No script in it runs. */
function elementOf(html) {
  const template = document.createElement('template');
  template.innerHTML = html;
  return template.content.firstElementChild;
}

/** Takes the place of the element, which keeps what is open and where the focus is. */
function putInPlace(old, next) {
  if (old.outerHTML === next.outerHTML) return;
  for (const open of old.querySelectorAll('details[open][data-key]')) {
    for (const one of next.querySelectorAll('details[data-key]')) if (one.dataset.key === open.dataset.key) one.open = true;
  }
  const focused = old.contains(document.activeElement) ? document.activeElement : undefined;
  const at = focused ? [...old.querySelectorAll('a, button, summary, [tabindex]')].indexOf(focused) : -1;
  old.replaceWith(next);
  if (at >= 0) next.querySelectorAll('a, button, summary, [tabindex]')[at]?.focus({ preventScroll: true });
}

const partsNamed = (name, within = document) => [...within.querySelectorAll('[data-part]')].filter((one) => one.dataset.part === name);

function putPart(name, html) {
  for (const old of partsNamed(name)) {
    const next = elementOf(html);
    if (next) putInPlace(old, next);
  }
}

/** A page of ours, or undefined where it cannot be had. Whoever is no longer signed in is asked to be. */
async function fetchPage(path) {
  try {
    const response = await fetch(path, { headers: { accept: 'text/html' }, redirect: 'manual', credentials: 'same-origin' });
    if (response.type === 'opaqueredirect' || response.status === 401) location.reload();
    if (!response.ok) return undefined;
    return new DOMParser().parseFromString(await response.text(), 'text/html');
  } catch {
    return undefined;
  }
}

async function refreshPart(name, path) {
  const page = await fetchPage(path);
  const [next] = page ? partsNamed(name, page) : [];
  if (next) for (const old of partsNamed(name)) putInPlace(old, document.adoptNode(next));
}

/** After a time without a stream. */
async function refreshAll() {
  const page = await fetchPage(location.href);
  const next = page?.querySelector('main');
  if (!next || !main) return;
  skewMs = Number(next.dataset.now) - Date.now();
  const names = new Set([...main.querySelectorAll('[data-part]')].map((one) => one.dataset.part));
  for (const name of names) {
    const [part] = partsNamed(name, next);
    if (part) for (const old of partsNamed(name)) putInPlace(old, document.adoptNode(part.cloneNode(true)));
  }
}

/* First page */

const isFiltered = () => ['q', 'namespace', 'phase', 'label', 'page'].some((name) => new URLSearchParams(location.search).get(name));
const sections = { 'needs-person': 'needs-person', moving: 'moving', held: 'noted', failed: 'noted' };

function takeRow({ part, gone, group, was, html }) {
  if (gone) {
    for (const old of partsNamed(part)) old.remove();
  } else {
    putPart(part, html);
    if (!isFiltered()) putIntoSection(part, sections[group], html);
    if (was !== group) for (const row of partsNamed(part)) row.classList.add('changed');
  }
  if (was !== group || gone) tellCounts(was, gone ? undefined : group);
}

/** The row stands in the section of its group, and in the list of all. */
function putIntoSection(part, section, html) {
  for (const row of partsNamed(part)) {
    const place = row.closest('section')?.id;
    if (place && place !== section) row.remove();
  }
  for (const id of new Set(Object.values(sections))) {
    const rows = document.querySelector(`#${id} tbody`);
    const card = document.getElementById(id);
    if (card && rows && rows.childElementCount === 0) card.hidden = true;
  }
  if (!section) return;
  const place = document.getElementById(section);
  if (!place || place.querySelector(`[data-part="${CSS.escape(part)}"]`)) return;
  const rows = place.querySelector('tbody');
  const row = elementOf(html);
  // The table is there only where it had rows: then the page is asked for it.
  if (!rows || !row) void refreshSection(section);
  else {
    place.hidden = false;
    rows.prepend(row);
  }
}

let asked = Promise.resolve();
function refreshSection(id) {
  asked = asked.then(async () => {
    const old = document.getElementById(id);
    if (!old || old.querySelector('tbody tr')) return;
    const next = (await fetchPage(location.href))?.getElementById(id);
    if (next) old.replaceWith(document.adoptNode(next));
  });
  return asked;
}

function tellCounts(was, is) {
  for (const [group, change] of [
    [was, -1],
    [is, 1],
  ]) {
    const count = group && document.querySelector(`[data-count~="${group}"]`);
    if (count) count.textContent = String(Math.max(0, Number(count.textContent) + change));
  }
}

/* An app */

let isMoving = false;
function takeApp({ parts, story, acts, isMoving: moves }) {
  isMoving = moves;
  for (const [name, html] of Object.entries(parts)) putPart(name, html);
  if (story) document.dispatchEvent(new CustomEvent('serin-story', { detail: story }));
  const shown = document.querySelector('[data-acts]');
  if (shown && shown.dataset.acts !== acts) {
    shown.dataset.acts = acts;
    void refreshPart('acts', location.href);
    void refreshPods();
  }
}

let podsAtMs = Date.now();
async function refreshPods() {
  podsAtMs = Date.now();
  await refreshPart('pods', `${location.pathname.replace(/\/$/, '')}/pods`);
}
if (document.querySelector('main [data-part="pods"]')) {
  isMoving = true;
  setInterval(() => {
    if (!document.hidden && Date.now() - podsAtMs > (isMoving ? 2500 : 15000)) void refreshPods();
  }, 1000);
}

/* The stream */

if (main?.dataset.live) {
  const stream = new EventSource(main.dataset.live);
  let hasFailed = false;
  let late;
  stream.addEventListener('open', () => {
    clearTimeout(late);
    late = undefined;
    root.classList.remove('is-offline');
    if (hasFailed) void refreshAll();
    hasFailed = false;
  });
  stream.addEventListener('error', () => {
    hasFailed = true;
    // A stream ends now and then, and comes again in a moment.
    late ??= setTimeout(() => root.classList.add('is-offline'), 4000);
    // A stream that was refused is not tried again by itself.
    if (stream.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 15000);
  });
  stream.addEventListener('fleet', (event) => {
    for (const row of JSON.parse(event.data)) takeRow(row);
    tellTimes();
  });
  stream.addEventListener('app', (event) => {
    takeApp(JSON.parse(event.data));
    tellTimes();
  });
  // Else the browser keeps the page's connection when one goes back.
  addEventListener('pagehide', () => stream.close());
  addEventListener('pageshow', (event) => {
    if (event.persisted) location.reload();
  });
}
