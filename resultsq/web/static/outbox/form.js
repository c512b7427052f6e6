// The form for a new entry: which event, which day, which files, and what can be said of them here.
import { makeEntry } from "./entry.js";
import { recognise } from "./recognise.js";
import { isolated, megabytes, say, sayDay, todayHere } from "./words.js";

const by = (id) => document.getElementById(id);
const form = by("new");
let corrected = null; // an entry that the node refused, to be replaced
let files = [];

const refuse = (sentence) => {
  by("refusal").textContent = sentence;
  return null;
};

const describe = (found) => {
  if (!found) return say("unknown");
  const what = say(found.kind, { count: found.count });
  if (!found.day) return what;
  const same = !by("date").value || by("date").value === found.day;
  return `${what}, ${say(same ? "of-day" : "other-day", { day: sayDay(found.day) })}`;
};

const listed = async (file) => {
  const line = document.createElement("li");
  line.className = "text-break";
  line.textContent = `${isolated(file.name)}: ${describe(recognise(new Uint8Array(await file.arrayBuffer())))}`;
  return line;
};

const showFiles = async () => by("chosen").replaceChildren(...(await Promise.all(files.map(listed))));

const wrongFiles = (most) => {
  const mostFiles = Number(by("files").dataset.mostFiles);
  const largest = [...files].sort((one, other) => other.size - one.size)[0];
  if (files.length > mostFiles) return say("too-many", { most: mostFiles });
  if (files.reduce((sum, file) => sum + file.size, 0) > most) {
    return say("too-large", { file: largest.name, size: megabytes(largest.size), most: megabytes(most) });
  }
  const empty = files.find((file) => !file.size);
  return empty && say("empty-file", { file: empty.name });
};

// the entry as it was filled in; null: something is wrong with it, and the page says what
export const made = async (known) => {
  refuse("");
  if (by("date").value > todayHere()) return refuse(say("future", { today: sayDay(todayHere()) }));
  const wrong = wrongFiles(known.mostBytes);
  if (wrong) return refuse(wrong);
  const event = known.events.find((one) => one.slug === by("event").value);
  return makeEntry({
    account: known.name,
    event: event.slug,
    eventName: event.name,
    date: by("date").value,
    publish: by("publish").checked,
    files,
  });
};

export const emptied = () => {
  const before = corrected;
  corrected = null;
  files = [];
  form.reset();
  by("files").required = true;
  by("chosen").replaceChildren();
  return before;
};

// a refused entry goes back into the form, with its files
export const correct = (entry) => {
  corrected = entry;
  if ([...by("event").options].some((one) => one.value === entry.event)) by("event").value = entry.event;
  by("date").value = entry.date;
  by("publish").checked = entry.publish;
  files = entry.files.map((file) => new File([file.bytes], file.name));
  by("files").required = false;
  showFiles();
  by("date").focus();
};

export const notSaved = (error) =>
  refuse(error?.name === "QuotaExceededError" ? say("no-room") : say("not-saved", { reason: error?.name ?? error }));

export const showForm = ({ known }, blocks) => {
  form.hidden = !known || blocks;
  if (!known) return;
  const chosen = by("event").value || location.pathname.split("/").at(-1);
  const options = known.events.map((event) => new Option(event.name, event.slug, false, event.slug === chosen));
  if (String(options.map((one) => one.value)) !== String([...by("event").options].map((one) => one.value))) {
    by("event").replaceChildren(...options);
  }
  by("event-part").hidden = known.events.length === 1;
};

by("files").addEventListener("change", () => {
  files = [...by("files").files];
  refuse("");
  showFiles();
});
by("date").addEventListener("change", showFiles);
by("date").max = todayHere();
by("today").textContent = say("today", { today: sayDay(todayHere()) });
