// Sends what waits, by itself: a probe each second while something waits, none otherwise. navigator.onLine is not asked:
// it is true beside a dead node.
import { newId } from "./digest.js";
import { DEVICE, asDocument, isDone, isWaiting } from "./entry.js";
import * as node from "./node.js";
import * as store from "./store.js";

const PROBE_MS = 1000;
const WATCH_MS = 2000;
const DRAWN_MS = 100;
const REPORT_MS = 60000;
const LONGEST_WAIT_S = 30;
const ASKED_AT_ONCE = 50;

// of two pages one sends; without Web Locks the node knows each entry by its id
const alone = (work) =>
  navigator.locks
    ? navigator.locks.request("resultsq-sender", { ifAvailable: true }, (lock) => (lock ? work() : null))
    : work();

export class Sender {
  // `changed` is called with {entries, link, account, events, ask} whenever one of them is another
  constructor(root, changed) {
    this.root = root;
    this.changed = changed;
    this.state = { entries: [], link: null, account: null, known: null, ask: false };
    this.notBefore = new Map();
    this.reported = {};
    this.channel = new BroadcastChannel("resultsq");
    this.channel.onmessage = () => this.refresh();
  }

  async start() {
    this.state.known = (await store.fact("account")) ?? null;
    this.state.ask = (await store.fact("ask")) ?? false;
    await this.refresh();
    addEventListener("online", () => this.now());
    addEventListener("pageshow", () => this.now());
    document.addEventListener("visibilitychange", () => document.hidden || this.now());
    await this.now();
  }

  async refresh() {
    this.state.entries = await store.all();
    this.changed(this.state);
  }

  async keep(entry) {
    await store.put(entry);
    await this.tell();
    this.now();
  }

  async drop(id) {
    await store.remove(id);
    await this.tell();
    this.now();
  }

  async tell() {
    this.channel.postMessage("changed");
    await this.refresh();
  }

  // of many entries each is not drawn anew for every other one
  tellSoon() {
    this.telling ??= setTimeout(() => {
      this.telling = null;
      this.tell();
    }, DRAWN_MS);
  }

  // a person has been asked whether what waited for a login is sent
  async allow() {
    await store.setFact("ask", undefined);
    this.state.ask = false;
    await this.now();
  }

  // a round at once, and further rounds for as long as something waits
  now() {
    clearTimeout(this.timer);
    this.running ??= this.round().finally(() => {
      this.running = null;
      this.timer = this.pause() && setTimeout(() => this.now(), this.pause());
    });
    return this.running;
  }

  pause() {
    const { entries, link, account, known } = this.state;
    if (!known && link !== "up") return WATCH_MS; // there is no form before the node has said for whom
    if (entries.some((entry) => isWaiting(entry) && (link !== "up" || entry.account === account))) return PROBE_MS;
    return entries.some((entry) => !isDone(entry) && (!entry.refused || entry.place !== DEVICE)) ? WATCH_MS : 0;
  }

  async round() {
    const told = await node.contact(this.root);
    await this.meet(told);
    if (told.away) return;
    await alone(async () => {
      this.state.entries = await store.all();
      await this.sendAll(told);
      await this.watch(told);
      await this.report(told);
    });
    await this.refresh();
  }

  async meet(told) {
    Object.assign(this.state, { link: told.away ?? "up", account: told.account ?? null, takes: told.takes });
    if (told.account) {
      this.state.known = { name: told.account, events: told.events, mostBytes: told.most_bytes };
      await store.setFact("account", this.state.known);
    } else if (!told.away && !this.state.ask && this.state.entries.some(isWaiting)) {
      await this.askFirst();
    }
    this.changed(this.state);
  }

  // the login has ended: what waits is not sent without a word, for the next person at this device may be another
  async askFirst() {
    this.state.ask = true;
    await store.setFact("ask", true);
  }

  async sendAll(told) {
    this.state.ask = (await store.fact("ask")) ?? false;
    if (this.state.ask) return;
    for (const entry of this.state.entries.filter((one) => isWaiting(one) && one.account === told.account)) {
      if (performance.now() < (this.notBefore.get(entry.id)?.at ?? 0)) continue;
      const answer = await node.send(this.root, told.csrf, asDocument(entry), entry.id);
      await this.settle(entry.id, answer);
      if (answer.login) return this.askFirst();
      if (answer.later === "silent" || answer.later === "other") {
        this.state.link = answer.later;
        return;
      }
    }
  }

  // a person may have changed or removed the entry while it was on its way
  async settle(id, answer) {
    const entry = await store.get(id);
    if (!entry) return;
    const { place, done, url, reasons } = answer;
    if (place) await store.put(this.settled({ ...entry, place, done, url, reasons, trouble: undefined }));
    else if (answer.refused !== undefined) await store.put({ ...entry, refused: { reason: answer.refused } });
    else if (answer.later) await this.putOff(entry, answer);
    this.tellSoon();
  }

  // what the node has done all with is not kept here: only the word of it is
  settled(entry) {
    return entry.done ? { ...entry, files: entry.files.map((file) => ({ ...file, bytes: undefined })) } : entry;
  }

  async putOff(entry, { later, detail, waitS }) {
    if (later === "silent" || later === "other") return;
    const tries = (this.notBefore.get(entry.id)?.tries ?? 0) + 1;
    const seconds = waitS || Math.min(LONGEST_WAIT_S, 2 ** (tries - 1));
    this.notBefore.set(entry.id, { at: performance.now() + 1000 * seconds, tries });
    await store.put({ ...entry, trouble: { later, detail } });
  }

  // what the node has is looked after until it is published; what it no longer has is sent again
  async watch(told) {
    const mine = this.state.entries.filter((one) => one.place !== DEVICE && !isDone(one) && one.account === told.account);
    for (let at = 0; at < mine.length; at += ASKED_AT_ONCE) {
      const some = mine.slice(at, at + ASKED_AT_ONCE);
      const found = await node.places(this.root, some.map((one) => one.id));
      if (!found) return;
      for (const entry of some) await this.see(entry, found.find((one) => one.id === entry.id));
    }
  }

  async see(entry, there) {
    if (!there) await store.put({ ...entry, place: DEVICE, reasons: [], trouble: { later: "lost" } });
    else if (there.place !== entry.place || there.done !== entry.done || String(there.reasons) !== String(entry.reasons)) {
      await store.put(this.settled({ ...entry, ...there }));
    } else return;
    this.tellSoon();
  }

  // operators see how many results are on devices only: a number and a day, nothing else
  async report(told) {
    const held = (await store.all()).filter((one) => one.place === DEVICE);
    const { holds, at } = this.reported;
    const isNews = holds === undefined ? held.length : holds !== held.length;
    if (!isNews && !(held.length && performance.now() - at > REPORT_MS)) return;
    let device = await store.fact("device");
    if (!device) await store.setFact("device", (device = newId()));
    const day = held.map((one) => one.date).sort().at(-1) ?? "";
    const answer = await node.reportHolds(this.root, told.csrf, device, held.length, day);
    if (answer?.ok) this.reported = { holds: held.length, at: performance.now() };
  }
}
