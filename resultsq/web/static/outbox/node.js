// What is asked of the node. An answer counts only if it says that it is resultsq's: in a café, a login page of the
// Wi-Fi answers in the node's place, with any status that it likes.
const PROBE_MS = 4000;
const LONGEST_MS = 600000;

const ask = async (url, options, patienceMs) => {
  try {
    return await fetch(url, {
      ...options,
      headers: { Accept: "application/json", ...options.headers },
      redirect: "manual",
      cache: "no-store",
      credentials: "same-origin",
      signal: AbortSignal.timeout(patienceMs),
    });
  } catch {
    return null;
  }
};

const content = async (answer) => {
  try {
    return await answer.json();
  } catch {
    return {};
  }
};

// in the node's place, but no portal: a proxy in front of it says that the node is away, or that too much was asked
const isBusy = (answer) => answer.status >= 500 || answer.status === 429;

const type = (answer) => (answer.headers.get("Content-Type") ?? "").split(";")[0];

// {away: why} where the node does not answer
export const contact = async (root) => {
  const answer = await ask(`${root}device/contact`, {}, PROBE_MS);
  if (!answer) return { away: "silent" };
  const told = answer.status === 200 ? await content(answer) : {};
  if (told.resultsq) return told;
  if (answer.status === 200 && type(answer) === "application/json") return { away: "silent" }; // cut off on its way
  return { away: isBusy(answer) ? "busy" : "other" };
};

// {place, …} where the node has it; {refused: reason}; {login: true}; or {later: why, waitS}
export const send = async (root, csrf, body, id) => {
  const headers = { "Content-Type": "application/json", "X-CSRFToken": csrf, "Idempotency-Key": id };
  const patienceMs = Math.min(LONGEST_MS, 30000 + body.length * 2);
  const answer = await ask(`${root}device/entries`, { method: "POST", headers, body }, patienceMs);
  if (!answer) return { later: "silent" };
  const told = type(answer).endsWith("json") ? await content(answer) : {};
  if ([200, 201].includes(answer.status) && told.resultsq && told.id === id) return told;
  return refusal(answer, told);
};

const refusal = (answer, told) => {
  const ours = type(answer) === "application/problem+json";
  if (answer.status === 413) return { refused: told.detail ?? "" };
  if (!ours) return { later: isBusy(answer) ? "busy" : "other" };
  if (answer.status === 401) return { login: true };
  if ([403, 404, 409, 422].includes(answer.status)) return { refused: told.detail };
  const waitS = Number(answer.headers.get("Retry-After")) || 0;
  return { later: answer.status === 400 ? "damaged" : "said", detail: told.detail, waitS };
};

// where these entries are by now; null where that is not known
export const places = async (root, ids) => {
  const query = new URLSearchParams(ids.map((id) => ["id", id]));
  const answer = await ask(`${root}device/entries?${query}`, {}, PROBE_MS);
  const told = answer?.status === 200 ? await content(answer) : {};
  return told.resultsq ? told.entries : null;
};

export const reportHolds = (root, csrf, device, holds, day) =>
  ask(
    `${root}device/holds`,
    { method: "POST", headers: { "X-CSRFToken": csrf }, body: new URLSearchParams({ device, holds, day }) },
    PROBE_MS,
  );
