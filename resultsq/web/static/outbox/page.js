// Puts the page together: the form, the list, and what the sender says.
import { DEVICE, isWaiting } from "./entry.js";
import { correct, emptied, made, notSaved, showForm } from "./form.js";
import { show } from "./list.js";
import { contact } from "./node.js";
import { Sender } from "./sender.js";
import * as store from "./store.js";
import { showTroubles, troubles } from "./troubles.js";
import { root, say, sayCount } from "./words.js";
import { register } from "./worker.js";

const by = (id) => document.getElementById(id);
let blocks = false;
let hasWorker = false;

const link = ({ link: state, known, entries, takes }) => {
  const parts = state ? [say(`link-${state}`)] : [];
  if (state === "up" && !known) parts.push(say("no-account"));
  else if (!known && state) parts.push(say("no-account"));
  else if (known && !known.events.length) parts.push(say("no-events"));
  else if (known && hasWorker && !entries.length) parts.push(say("ready"));
  if (takes && entries.some((one) => isWaiting(one) && !takes.includes(one.format))) parts.push(say("takes-newer"));
  by("link").textContent = parts.join(" ");
  by("to-form").hidden = state !== "up";
  by("elsewhere")?.toggleAttribute("hidden", !state || state === "up");
};

const asks = ({ entries, link: state, account, ask }) => {
  const waiting = entries.filter(isWaiting);
  const mine = waiting.filter((one) => one.account === account);
  const leaves = location.hash === "#log-out" && account;
  const login = state === "up" && !account && waiting.length > 0;
  const sends = state === "up" && ask && mine.length > 0;
  by("asks").hidden = !(login || sends || (leaves && mine.length));
  by("asks-login").hidden = !login;
  by("asks-send").hidden = !sends;
  by("asks-leave").hidden = !(leaves && mine.length);
  if (login) tellAsk(sayCount("login-title", waiting.length), say("login-text"));
  else if (sends) tellAsk(sayCount("ask-title", mine.length), say("ask-text", { account }));
  else if (leaves) tellAsk(say("leave-title"), sayCount("leave-text", mine.length));
  if (sends) by("asks-send").textContent = sayCount("ask-send", mine.length);
  if (leaves && !mine.length) leave();
};

const tellAsk = (title, text) => {
  by("asks-title").textContent = title;
  by("asks-text").textContent = text;
};

let leaving = false;
const leave = async () => {
  if (leaving) return;
  leaving = true;
  const told = await contact(root);
  if (!told.account) {
    leaving = false;
    return;
  }
  await store.setFact("account", undefined);
  by("asks-leave").elements.csrf_token.value = told.csrf;
  by("asks-leave").submit(); // `leaving` stays: a second logout would break off the first one on its way
};
addEventListener("pageshow", () => {
  leaving = false;
});

const changed = (state) => {
  link(state);
  asks(state);
  show(state, { correct, remove: (entry) => sender.drop(entry.id), again });
  showForm(state, blocks);
};

const sender = new Sender(root, changed);
const again = (entry) => sender.keep({ ...entry, refused: undefined });

const save = async () => {
  try {
    const entry = await made(sender.state.known);
    if (!entry) return;
    await sender.keep(entry);
    navigator.storage?.persist?.();
    const before = emptied();
    if (before) await sender.drop(before.id);
    by("list-title").focus();
  } catch (error) {
    notSaved(error);
  }
};

by("new").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (by("fields").disabled) return; // a second tap on the same button is the same entry
  by("fields").disabled = true;
  await save();
  by("fields").disabled = false;
});
by("asks-send").addEventListener("click", () => sender.allow());
by("asks-leave").addEventListener("submit", (event) => {
  event.preventDefault();
  leave();
});

const begin = async () => {
  const told = await troubles(isSecureContext);
  blocks = told.blocks;
  showTroubles(told);
  if (blocks) return;
  await sender.start();
  const isEmpty = async () => !(await store.all()).some((entry) => entry.place === DEVICE);
  hasWorker = await register(root, isEmpty);
  showTroubles(await troubles(hasWorker));
  changed(sender.state);
};

begin();
