// On the pages of a team: the service worker, and a logout that does not leave results behind on this device.
import { isWaiting } from "./entry.js";
import * as store from "./store.js";
import { register } from "./worker.js";

const { root } = document.querySelector("script[data-root]").dataset;
const waiting = async () => (await store.all()).filter(isWaiting);

const leave = async (form) => {
  try {
    if ((await waiting()).length) {
      location.assign(`${root}offline#log-out`);
      return;
    }
    await store.setFact("account", undefined);
  } catch {
    // a browser that keeps nothing has nothing to lose
  }
  form.submit();
};

document.addEventListener("submit", (event) => {
  const form = event.target.closest("[data-leaves]");
  if (!form) return;
  event.preventDefault();
  leave(form);
});

register(root, async () => !(await waiting()).length);
