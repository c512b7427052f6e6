// What may go wrong with keeping results in this browser, said before anybody types.
import { canKeep } from "./store.js";
import { megabytes, say } from "./words.js";

const LITTLE = 20e6;

const roomLeft = async () => {
  const { quota, usage } = (await navigator.storage?.estimate?.()) ?? {};
  return quota === undefined ? Infinity : quota - usage;
};

// each as [sentence, tone]; `blocks`: nothing can be kept at all
export const troubles = async (hasWorker) => {
  if (!(await canKeep())) return { blocks: true, found: [[say("no-storage"), "danger"]] };
  const found = [];
  const room = await roomLeft();
  if (room < LITTLE) found.push([say("little-room", { size: megabytes(Math.max(0, room)) }), "warning"]);
  if (!isSecureContext) found.push([say("plain-http"), "warning"]);
  else if (!hasWorker) found.push([say("no-worker"), "warning"]);
  if (navigator.storage?.persisted && !(await navigator.storage.persisted())) found.push([say("may-forget"), "info"]);
  return { blocks: false, found };
};

export const showTroubles = ({ found }) => {
  const lines = found.map(([sentence, tone]) => {
    const line = document.createElement("p");
    line.className = `alert alert-${tone} py-2 mb-2`;
    line.textContent = sentence;
    return line;
  });
  document.getElementById("troubles").replaceChildren(...lines);
};
