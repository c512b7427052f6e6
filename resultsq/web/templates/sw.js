// Opens the form while the node cannot be reached. It answers GET only: a request that brings something is never
// touched, for some browsers empty the body of one that a service worker sends on.
const CACHE = "resultsq-{{ version }}";
const KEPT = {{ kept|tojson }};
const OFFLINE = {{ offline|tojson }};
const ROOT = {{ root|tojson }};
const FORM = ["", "submit", "login", "offline", "events", "submissions"];
const PATIENCE_MS = 4000;

const isOurs = (answer) => answer.ok && !answer.redirected && answer.headers.has("X-Request-ID");
// a proxy's error, or a page that is not the node's: a Wi-Fi's login page answers 200. A redirect cannot be looked into
const isAway = (answer) =>
  answer.type !== "opaqueredirect" && ([502, 503, 504].includes(answer.status) || !answer.headers.has("X-Request-ID"));
const kept = async (request) => (await caches.open(CACHE)).match(request);

addEventListener("install", (event) => {
  const fill = async () => {
    const answers = await Promise.all(KEPT.map((url) => fetch(url, { redirect: "error" })));
    if (!answers.every(isOurs)) throw new Error("This is not the node's answer.");
    const cache = await caches.open(CACHE);
    await Promise.all(KEPT.map((url, at) => cache.put(url, answers[at])));
  };
  event.waitUntil(fill());
});

addEventListener("activate", (event) => {
  const tidy = async () => {
    const old = (await caches.keys()).filter((name) => name.startsWith("resultsq-") && name !== CACHE);
    await Promise.all(old.map((name) => caches.delete(name)));
    await clients.claim();
  };
  event.waitUntil(tidy());
});

// a page says so when no entry waits, or when a person reloads it
addEventListener("message", (event) => event.data === "take over" && skipWaiting());

const page = async (request) => {
  const shell = await kept(OFFLINE);
  const asked = fetch(request);
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS, shell));
  try {
    const answer = await Promise.race(shell ? [asked, late] : [asked]);
    return isAway(answer) && shell ? shell : answer;
  } catch (error) {
    if (shell) return shell;
    throw error;
  } finally {
    asked.catch(() => {}); // it may fail after the shell was shown
  }
};

addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  const first = url.pathname.slice(ROOT.length).split("/")[0];
  if (request.mode === "navigate" && FORM.includes(first)) event.respondWith(page(request));
  else if (KEPT.includes(url.pathname + url.search)) event.respondWith(kept(request).then((found) => found ?? fetch(request)));
});
