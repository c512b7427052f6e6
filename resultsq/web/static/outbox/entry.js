// One entry: the results of an event's day as files, kept as bytes. A File object is only a promise of bytes: some
// browsers send it empty after a restart.
import { base64, newId, sha256 } from "./digest.js";

export const FORMAT = 2;

// the places: on this device only, on the node too, and published
export const DEVICE = "device";
export const SAVED = "saved";
export const PUBLISHED = "published";

const kept = async (file) => {
  const bytes = new Uint8Array(await file.arrayBuffer());
  return { name: file.name, length: bytes.length, sha256: await sha256(bytes), bytes };
};

export const makeEntry = async ({ account, event, eventName, date, publish, files }) => ({
  id: newId(),
  format: FORMAT,
  account,
  event,
  eventName,
  date,
  publish,
  files: await Promise.all([...files].map(kept)),
  madeAt: new Date().toISOString(),
  place: DEVICE,
});

// what the node reads, and what a person may carry to it: its first member says what it is
export const asDocument = (entry) =>
  JSON.stringify({
    "resultsq-entry": entry.format,
    id: entry.id,
    event: entry.event,
    date: entry.date,
    ...(entry.format > 1 ? { publish: entry.publish } : {}),
    account: entry.account,
    files: entry.files.map(({ name, length, sha256: digest, bytes }) => ({ name, length, sha256: digest, content: base64(bytes) })),
  });

export const fileName = (entry) => `results-${entry.event}-${entry.date}-${entry.id.slice(0, 8)}.json`;

// it waits to be sent by itself; one that the node refused waits for a person
export const isWaiting = (entry) => entry.place === DEVICE && !entry.refused;

// the node has done all with it that this device could wait for
export const isDone = (entry) => Boolean(entry.done);
