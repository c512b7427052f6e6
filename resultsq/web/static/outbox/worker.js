// The service worker is made here, and its successor let in: when nothing waits on this device, or when a person reloads.
export const register = async (root, isEmpty) => {
  if (!navigator.serviceWorker) return false;
  try {
    const registration = await navigator.serviceWorker.register(`${root}sw.js`, { scope: root });
    const [visit] = performance.getEntriesByType("navigation");
    const admit = async () => {
      const { waiting } = registration; // it may have taken over by the time the outbox has been looked into
      if (waiting && (visit?.type === "reload" || (await isEmpty()))) waiting.postMessage("take over");
    };
    registration.addEventListener("updatefound", () => registration.installing?.addEventListener("statechange", admit));
    await admit();
    await navigator.serviceWorker.ready;
    return true;
  } catch {
    return false;
  }
};
