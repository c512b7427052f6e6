// The entries on the page: where each one is, in a word and a look of its own, and what to do.
import { DEVICE, PUBLISHED, SAVED, asDocument, fileName, isDone } from "./entry.js";
import { icons, isolated, say, sayDay } from "./words.js";

const LOOKS = {
  [DEVICE]: ["place-device", "text-bg-warning", "phone"],
  [SAVED]: ["place-saved", "text-bg-primary", "clock"],
  [PUBLISHED]: ["place-published", "text-bg-success", "check"],
};

const onDevice = (entry, { link, account, ask }) => {
  if (entry.refused) return say("refused", { reason: entry.refused.reason || say("refused-large") });
  if (link === "up" && account && account !== entry.account) return say("locked");
  if (link === "up" && !account) return say("waits-login");
  if (ask && link === "up") return say("waits-ask");
  const { later, detail } = entry.trouble ?? {};
  if (later === "said") return detail;
  if (["damaged", "busy", "lost"].includes(later)) return say(`waits-${later}`);
  if (link === "up") return say("sending");
  return say(navigator.serviceWorker?.controller ? "waits" : "waits-open");
};

const status = (entry, state) => {
  if (entry.place === DEVICE) return onDevice(entry, state);
  if (entry.place === PUBLISHED) return say("published");
  if (isDone(entry)) return say("saved-done");
  return entry.reasons?.length ? say("saved-look", { reasons: entry.reasons.join(" ") }) : say("saved");
};

const download = (entry) => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([asDocument(entry)], { type: "application/json" }));
  link.download = fileName(entry);
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
};

const draw = (item, entry, state, acts) => {
  const part = (name) => item.querySelector(`[data-${name}]`);
  const foreign = Boolean(state.known) && entry.account !== state.known.name;
  const [word, look, icon] = LOOKS[entry.place];
  item.className = `place place-${entry.place}`;
  part("badge").className = `badge ms-auto ${look}`;
  part("badge").querySelector("use").setAttribute("href", `${icons}#${icon}`);
  part("place").textContent = say(word);
  part("title").textContent = foreign ? say("other-account") : say("title", { event: entry.eventName, day: sayDay(entry.date) });
  part("files").textContent = foreign ? "" : entry.files.map((file) => isolated(file.name)).join(", ");
  part("status").textContent = status(entry, state);
  const open = part("open");
  open.hidden = !entry.url || foreign;
  open.href = entry.url ?? "";
  open.textContent = say(entry.place === PUBLISHED || !entry.reasons?.length ? "receipt" : "look");
  part("download").hidden = foreign || isDone(entry);
  part("download").onclick = () => download(entry);
  part("correct").hidden = part("again").hidden = !entry.refused || foreign;
  part("correct").onclick = () => acts.correct(entry);
  part("again").onclick = () => acts.again(entry);
  part("remove").hidden = foreign || (entry.place === SAVED && !isDone(entry));
  part("remove").onclick = () => {
    if (entry.place !== DEVICE) return acts.remove(entry);
    part("sure").hidden = false;
    part("yes").focus();
  };
  part("yes").onclick = () => acts.remove(entry);
  part("no").onclick = () => (part("sure").hidden = true);
};

// an item stays the same element, so that a finger or the keyboard finds it where it was
export const show = (state, acts) => {
  const list = document.getElementById("list");
  const items = new Map([...list.children].map((item) => [item.dataset.id, item]));
  for (const [at, entry] of [...state.entries].reverse().entries()) {
    const item = items.get(entry.id) ?? document.getElementById("entry").content.firstElementChild.cloneNode(true);
    items.delete(entry.id);
    item.dataset.id = entry.id;
    if (list.children[at] !== item) list.insertBefore(item, list.children[at] ?? null);
    draw(item, entry, state, acts);
  }
  for (const item of items.values()) item.remove();
  document.getElementById("list-part").hidden = !state.entries.length;
};
