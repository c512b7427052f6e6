// Which file is it, and what can be said of it here? It says nothing that the node would not say of the same file, and
// nothing at all where the node would have to look twice: there the node decides.
const TIME = "(?:[0-9]{1,2}:)?[0-5]?[0-9]:[0-5]?[0-9](?:[.,][0-9]+)?";
const WATCH_START = /^\s*STARTOFEVENT\s*(?:,|$)/;
const WATCH_DAY =
  /^\s*STARTOFEVENT\s*,\s*([0-9]{1,2})[/.-]([0-9]{1,2})[/.-](20[1-9][0-9])\b[^,]*,\s*virtual_?volunteer.*$/i;
const WATCH_END = /^\s*ENDOFEVENT\s*(?:,|$)/;
const WATCH_MARK = /^\s*0+\s*,[^,]*(?:,\s*)?$/;
const WATCH_ROW = new RegExp(`^\\s*[0-9]{1,9}\\s*,[^,]*,\\s*(${TIME})\\s*$`);
const FMS_START = /^\s*I\s*,\s*CP/;
const FMS_HEADER = /^\s*[IS]\s*,/;
const FMS_ROW = new RegExp(`^\\s*T\\s*,\\s*[0-9]{1,9}\\s*,[^,]*,\\s*${TIME}\\s*$`);
const SCAN_START = /^\s*Start of File\b/;
const MISREAD = /^\s*&/; // the node sets it aside
const SCAN = /^\s*(?:(A[1-9][0-9]{0,30})|null)?\s*,\s*(?:P([0-9]{1,5})|null)?\s*(?:,\s*([0-9]{1,2})\/([0-9]{1,2})\/([0-9]{4})[ ,][^,]*)?$/;

const day = (d, m, y) => {
  const [iso, date] = [[y, m, d].map((part) => String(part).padStart(2, "0")).join("-"), new Date(0)];
  date.setUTCFullYear(y, m - 1, d);
  return date.toISOString().startsWith(iso) ? iso : null;
};

const linesOf = (bytes) => {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return text.includes("\0") ? null : text.split(/\r\n|\n|\r/);
  } catch {
    return null;
  }
};

const ends = (lines) => lines.at(-1) === "";

const stopwatch = (lines) => {
  const rows = [];
  let [marked, ended] = [false, false];
  for (const line of lines.slice(1).filter((one) => one.trim())) {
    const row = ended ? null : WATCH_ROW.exec(line);
    if (row) rows.push(row[1]);
    else if (!ended && WATCH_END.test(line)) ended = true;
    else if (!marked && !ended && !rows.length && WATCH_MARK.test(line)) marked = true;
    else return null;
  }
  const first = rows.findIndex((time) => /[1-9]/.test(time.replace(/[.,].*/, "")));
  if (first < 0 || !ended) return null;
  const found = WATCH_DAY.exec(lines[0]);
  return { kind: "stopwatch", count: rows.length - first, day: found && day(found[1], found[2], found[3]) };
};

const webfms = (lines) => {
  const there = lines.filter((line) => line.trim() && !FMS_HEADER.test(line));
  if (!there.length || !ends(lines) || !there.every((line) => FMS_ROW.test(line))) return null;
  return { kind: "stopwatch", count: there.length, day: null };
};

const scanner = (lines) => {
  const meant = lines.filter((line) => line.trim() && !SCAN_START.test(line) && !MISREAD.test(line));
  const there = meant.map((line) => SCAN.exec(line));
  if (!there.length || !ends(lines)) return null;
  if (!there.every((scan) => scan && (scan[1] || Number(scan[2])) && scan[2] !== "0" && Number(scan[2] ?? 1))) return null;
  const days = new Set(there.map((scan) => (scan[3] && scan[5] >= "2010" ? day(scan[3], scan[4], scan[5]) : null)));
  return { kind: "scanner", count: there.length, day: days.size === 1 ? [...days][0] : null };
};

// null: only the node can say
export const recognise = (bytes) => {
  const lines = linesOf(bytes);
  const first = lines?.find((line) => line.trim());
  if (!first) return null;
  const from = lines.slice(lines.indexOf(first));
  if (WATCH_START.test(first)) return stopwatch(from);
  if (FMS_START.test(first)) return webfms(from);
  return SCAN_START.test(first) || SCAN.test(first) ? scanner(from) : null;
};
