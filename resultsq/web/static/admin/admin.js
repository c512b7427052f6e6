// Counts durations on, says when the figures are stale, shows dialogs. Every page works without this file.
(() => {
  const STALE_S = 5;
  const live = document.getElementById("live");
  const headline = document.getElementById("headline");
  const dialog = document.getElementById("dialog");
  let figuresOf = performance.now(); // when the figures shown were taken, by this machine's steady clock
  let ahead = 0; // how far the server's clock is ahead of this machine's, in milliseconds
  let shown = "";
  let said = live?.querySelector("[data-headline]")?.textContent;

  // in the page's language, as the server writes them
  const says = document.currentScript.dataset;
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_whole, name) => values[name]);
  const spell = (seconds) => {
    const s = Math.max(0, Math.round(seconds));
    if (s < 120) return fill(says.seconds, { seconds: s });
    const m = Math.floor(s / 60);
    if (m < 120) return fill(says.minutes, { minutes: m });
    const h = Math.floor(m / 60);
    if (h < 48) return fill(m % 60 ? says.hoursMinutes : says.hours, { hours: h, minutes: m % 60 });
    return fill(h % 24 ? says.daysHours : says.days, { days: Math.floor(h / 24), hours: h % 24 });
  };

  const count = () => {
    const now = Date.now() + ahead;
    document.querySelectorAll("[data-since]").forEach((at) => {
      at.textContent = spell((now - Date.parse(at.dataset.since)) / 1000);
    });
    document.querySelectorAll("[data-until]").forEach((at) => {
      const left = (Date.parse(at.dataset.until) - now) / 1000;
      at.textContent = left < 0.5 && at.dataset.over ? at.dataset.over : spell(left);
    });
    const age = (performance.now() - figuresOf) / 1000;
    live?.classList.toggle("is-stale", age > STALE_S);
    const mark = document.getElementById("stale");
    if (mark) {
      mark.hidden = age <= STALE_S;
      mark.dataset.word ??= mark.textContent;
      mark.textContent = `${mark.dataset.word}: ${spell(age)}`;
    }
  };

  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target !== live) return;
    if (event.detail.xhr.status !== 200) return;
    const sent = Date.parse(event.detail.xhr.getResponseHeader("Date"));
    if (sent) ahead = sent + 500 - Date.now();
    const age = Number(event.detail.xhr.getResponseHeader("X-Figures-Age")) || 0;
    figuresOf = performance.now() - age * 1000;
    // the same bytes as before: focus and selection stay
    if (event.detail.serverResponse === shown) event.detail.shouldSwap = false;
    shown = event.detail.serverResponse;
  });

  // a tab that is not looked at asks for nothing; its next look is at most two seconds after it is seen again
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (document.hidden && event.detail.elt === live) event.preventDefault();
  });

  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target === live) {
      const words = live.querySelector("[data-headline]")?.textContent;
      if (words !== said) headline.textContent = said = words;
      count();
    }
    if (event.detail.target === dialog && dialog.innerHTML.trim()) dialog.showModal();
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-close]")) {
      event.preventDefault();
      dialog.close();
    }
  });

  // the chart's values: under the pointer, and by arrow keys where the chart has the focus
  let reading = null;
  const readings = () => [...document.querySelectorAll("#chart .reading")];
  const read = (at) => {
    const all = readings();
    reading = at === null ? null : Math.min(all.length - 1, Math.max(0, at));
    all.forEach((one, n) => one.classList.toggle("is-read", n === reading));
    const place = document.getElementById("chart-value");
    if (place) place.textContent = reading === null ? "" : (all[reading]?.dataset.says ?? "");
  };
  document.addEventListener("pointerover", (event) => {
    const over = event.target.closest?.("#chart .reading");
    if (over) read(readings().indexOf(over));
  });
  document.addEventListener("keydown", (event) => {
    if (event.target.id !== "chart") return;
    const last = readings().length - 1;
    const step = { ArrowLeft: (reading ?? last + 1) - 1, ArrowRight: (reading ?? last - 1) + 1, Home: 0, End: last };
    if (event.key === "Escape") read(null);
    if (!(event.key in step)) return;
    event.preventDefault();
    read(step[event.key]);
  });
  document.addEventListener("htmx:afterSwap", () => read(reading));

  // choosing lines: all on the page, and with shift all between two
  let before = null;
  const boxes = () => [...document.querySelectorAll("input[name=ids]")];
  const tell = () => {
    const chosen = boxes().filter((box) => box.checked).length;
    document.querySelectorAll("[data-chosen]").forEach((place) => (place.textContent = chosen));
    const all = document.querySelector("input[name=on][value=filtered]")?.checked;
    document.querySelectorAll("[data-needs-chosen]").forEach((button) => (button.disabled = !chosen && !all));
  };
  document.addEventListener("click", (event) => {
    const box = event.target;
    if (box.matches?.("[data-all]")) boxes().forEach((one) => (one.checked = box.checked));
    if (box.matches?.("input[name=ids]")) {
      const all = boxes();
      if (event.shiftKey && before && all.includes(before)) {
        const [from, to] = [all.indexOf(before), all.indexOf(box)].sort((a, b) => a - b);
        all.slice(from, to + 1).forEach((one) => (one.checked = box.checked));
      }
      before = box;
    }
    // who ticks a line means the lines
    if (box.matches?.("[data-all], input[name=ids]")) {
      const selected = document.querySelector("input[name=on][value=chosen]");
      if (selected) selected.checked = true;
    }
    tell();
  });

  tell();
  count();
  setInterval(count, 1000);
})();
