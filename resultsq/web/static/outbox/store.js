// Entries and a few facts of this device, in IndexedDB. A write has reached the disk when its promise is kept.
const NAME = "resultsq";
const ENTRIES = "entries";
const FACTS = "facts";

let opened = null;

const open = () =>
  (opened ??= new Promise((resolve, reject) => {
    const asked = indexedDB.open(NAME, 1);
    asked.onupgradeneeded = () => {
      asked.result.createObjectStore(ENTRIES, { keyPath: "id" });
      asked.result.createObjectStore(FACTS);
    };
    asked.onblocked = () => reject(new Error("another page keeps an older version open"));
    asked.onerror = () => reject(asked.error);
    asked.onsuccess = () => {
      const forget = () => (opened = null);
      asked.result.onclose = forget;
      asked.result.onversionchange = () => {
        asked.result.close();
        forget();
      };
      resolve(asked.result);
    };
  }).catch((error) => {
    opened = null;
    throw error;
  }));

const run = async (name, mode, work) => {
  const database = await open();
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(name, mode, { durability: "strict" });
    const asked = work(transaction.objectStore(name));
    transaction.oncomplete = () => resolve(asked.result);
    transaction.onabort = () => reject(transaction.error ?? asked.error);
  });
};

export const all = async () => {
  const entries = await run(ENTRIES, "readonly", (store) => store.getAll());
  return entries.sort((one, other) => one.madeAt.localeCompare(other.madeAt));
};
export const get = (id) => run(ENTRIES, "readonly", (store) => store.get(id));
export const put = (entry) => run(ENTRIES, "readwrite", (store) => store.put(entry));
export const remove = (id) => run(ENTRIES, "readwrite", (store) => store.delete(id));
export const fact = (name) => run(FACTS, "readonly", (store) => store.get(name));
export const setFact = (name, value) =>
  run(FACTS, "readwrite", (store) => (value === undefined ? store.delete(name) : store.put(value, name)));

// whether this browser keeps anything at all: some have no storage, or refuse each write to it
export const canKeep = async () => {
  try {
    await setFact("trial", "kept");
    return (await fact("trial")) === "kept";
  } catch {
    return false;
  }
};
