// The work page keeps each tap until the node has answered it. One request runs at a time; what is tapped meanwhile,
// while offline or after the session ended waits here. It is sent only if the page still shows the same thing:
// otherwise another row may have moved below the finger.
(() => {
  const words = document.getElementById("working").dataset;
  const working = document.getElementById("working");
  const dialog = document.getElementById("again");
  const work = () => document.getElementById("work");
  const ours = new Set(["csrf_token", "revision", "key"]);
  const waiting = [];
  let running = null;
  let replaying = false;
  let loggingIn = false; // from the answer that the session has ended until the dialog is closed
  let stale = false; // the page is of an ended session, whose forms are refused: it is renewed before anything is sent
  let timer = 0;

  const tell = (text) => {
    const line = document.createElement("p");
    line.textContent = text;
    document.getElementById("told").replaceChildren(line);
  };

  const signature = (one) => {
    const about = one.closest("tbody, li")?.querySelector("tr, .said");
    const hidden = [...one.querySelectorAll("input[type=hidden]")].filter((field) => !ours.has(field.name));
    const state = one.querySelector("#send") ? document.getElementById("state") : null;
    return [
      one.getAttribute("action") || one.id,
      one.querySelector("button")?.textContent,
      ...hidden.map((field) => `${field.name}=${field.value}`),
      about?.textContent,
      state?.textContent,
    ].join("\n").replace(/[ \n]+/g, " ");
  };

  const typed = (one) =>
    [...one.querySelectorAll("input:not([type=hidden]), textarea")].map((field) =>
      field.type === "file" ? [field.name, [...field.files]] : [field.name, field.value],
    );

  const keep = (one, first = false) => {
    const tap = { sign: signature(one), values: typed(one) };
    const same = waiting.findIndex((other) => other.sign === tap.sign && tap.sign.indexOf("/files") < 0);
    if (same >= 0) waiting.splice(same, 1);
    if (first) waiting.unshift(tap);
    else waiting.push(tap);
    one.classList.add("waits");
  };

  const fill = (one, values) => {
    for (const [name, value] of values) {
      const field = one.elements[name];
      if (typeof value === "string") {
        field.value = value;
      } else {
        const files = new DataTransfer();
        value.forEach((file) => files.items.add(file));
        field.files = files.files;
      }
    }
  };

  const next = () => {
    clearTimeout(timer);
    if (running || !navigator.onLine || loggingIn) return;
    if (stale) {
      // what goes wrong is seen in afterRequest, as with every other request
      htmx.ajax("GET", location.pathname, { source: "#work", target: "#work", swap: "outerHTML" }).catch(() => {});
      return;
    }
    if (!waiting.length) return;
    const tap = waiting.shift();
    const one = [...work().querySelectorAll("form, a[hx-select]")].find((other) => signature(other) === tap.sign);
    if (!one || one.querySelector("#send")?.disabled) {
      tell(words.changed);
      next();
      return;
    }
    replaying = true;
    if (one.matches("a")) {
      one.click();
    } else {
      fill(one, tap.values);
      one.requestSubmit();
    }
    replaying = false;
  };

  const hold = (event) => {
    const one = event.target.closest?.(event.type === "submit" ? "#work form" : "#work a[hx-select]");
    if (!one || replaying || (!running && !waiting.length && !stale && navigator.onLine)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    keep(one);
    if (!navigator.onLine) document.getElementById("offline").classList.remove("d-none");
    else if (!running) next();
  };
  document.addEventListener("submit", hold, true);
  document.addEventListener("click", hold, true);

  // a part that is asked for after the session ended sends the page to the login: what waits here would be gone with it
  const leadsAway = (event) => event.detail.xhr.getResponseHeader("HX-Redirect") !== null;
  document.addEventListener("htmx:beforeOnLoad", (event) => {
    if (event.detail.xhr === running?.xhr && leadsAway(event)) event.preventDefault();
  });
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (!event.target.closest("#work")) return;
    const one = event.target;
    running = { one, xhr: event.detail.xhr };
    one.classList.add("waits");
    setTimeout(() => {
      if (running?.one === one) working.textContent = words.working;
    }, 300);
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (!running || event.detail.xhr !== running.xhr) return; // the element may be gone from the page by now
    const { one } = running;
    running = null;
    working.textContent = "";
    one.classList.remove("waits");
    const status = event.detail.xhr.status;
    const renewal = one.id === "work";
    if (renewal && status === 200) stale = false;
    const ended = status === 401 || leadsAway(event);
    if ((!status || ended) && !renewal) keep(one, true);
    if (ended) logInAgain();
    else timer = setTimeout(next, status && !stale ? 50 : 3000);
  });
  addEventListener("online", next);

  // the session has ended: log in here, so that a chosen file and typed text stay
  const place = document.getElementById("again-form");
  const busy = document.getElementById("again-busy");
  const ask = (address, options) => fetch(address, options).catch(() => new Response("")); // no network, no form
  const loginIn = (page) => new DOMParser().parseFromString(page, "text/html").querySelectorAll("#refusal, main form");
  const logInAgain = async () => {
    loggingIn = stale = true;
    const login = loginIn(await (await ask(`${words.login}?next=${encodeURIComponent(location.pathname)}`)).text());
    if (login.length) {
      place.replaceChildren(...login);
      busy.textContent = "";
      dialog.showModal();
    } else {
      loggingIn = false;
      tell(words.busy);
      timer = setTimeout(next, 3000);
    }
  };
  dialog.addEventListener("close", () => {
    loggingIn = false;
  });
  dialog.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { target } = event;
    const answer = await ask(target.action, { method: "POST", body: new URLSearchParams(new FormData(target)) });
    if (!answer.redirected || new URL(answer.url).pathname === new URL(target.action).pathname) {
      const login = loginIn(await answer.text());
      if (login.length) place.replaceChildren(...login);
      busy.textContent = login.length ? "" : words.busy;
      return;
    }
    loggingIn = false;
    dialog.close();
    document.getElementById("told").replaceChildren();
    next();
  });

  // files are checked as soon as they are chosen or dropped; the largest is named where they are too large together
  const sendAtOnce = (field) => {
    const files = [...(field.files ?? [])].sort((one, other) => other.size - one.size);
    const most = Number(field.dataset.most);
    if (files.reduce((sum, file) => sum + file.size, 0) > most) {
      const oneDigit = new Intl.NumberFormat(document.documentElement.lang, { minimumFractionDigits: 1, maximumFractionDigits: 1, numberingSystem: "latn" });
      const megabytes = (bytes) => oneDigit.format(bytes / 1e6);
      tell(words.large.replace("{file}", files[0].name).replace("{size}", megabytes(files[0].size)).replace("{most}", megabytes(most)));
      field.value = "";
    } else {
      field.form.requestSubmit();
    }
  };
  // the page may have been renewed while a file was being chosen: then the field in it takes what the old one was given
  const chosen = ({ target }) => {
    const field = target.isConnected ? target : document.getElementById(target.id);
    if (!field) return;
    if (field !== target && target.files) field.files = target.files;
    else if (field !== target) field.value = target.value;
    sendAtOnce(field);
  };
  const fields = () => document.querySelectorAll("[data-send-at-once]");
  const listen = () => fields().forEach((field) => field.addEventListener("change", chosen));
  listen();
  document.addEventListener("htmx:afterSwap", listen);
  // on a slow network a file may be chosen before this script has arrived; htmx is ready when this listener is called
  document.addEventListener("DOMContentLoaded", () => {
    for (const field of fields()) {
      if (field.files ? field.files.length : field.value !== field.defaultValue) sendAtOnce(field);
    }
  });

  // on a phone the sheet is folded until it is wanted
  const narrow = matchMedia("(max-width: 575.98px)");
  let unfolded = !narrow.matches;
  const fold = () => {
    const sheet = document.querySelector("details.sheet");
    if (sheet) sheet.open = unfolded || sheet.querySelector("[data-editing]") !== null;
  };
  document.addEventListener("toggle", (event) => {
    if (event.target.matches("details.sheet")) unfolded = event.target.open;
  }, true);
  document.addEventListener("click", (event) => {
    const sheet = document.querySelector("details.sheet");
    if (sheet && event.target.closest?.('a[href^="#row-"]')) sheet.open = true;
  });
  document.addEventListener("htmx:afterSwap", fold);
  fold();
})();
