// Comfort only: every page works without this file.
(() => {
  const offline = (gone) => document.getElementById("offline").classList.toggle("d-none", !gone);
  const told = document.getElementById("told");

  addEventListener("online", () => offline(false));
  addEventListener("offline", () => offline(true));
  document.addEventListener("htmx:sendError", () => offline(true));
  document.addEventListener("htmx:beforeRequest", () => told.replaceChildren());
  // an answer that was on its way when the network went does not take the word back
  document.addEventListener("htmx:afterRequest", (event) => event.detail.xhr.status && offline(!navigator.onLine));
  if (!navigator.onLine) offline(true); // it went before this script was here to hear of it

  // a page that cannot ask for the password itself goes to the login
  document.addEventListener("htmx:responseError", (event) => {
    if (event.detail.xhr.status === 401 && !document.getElementById("again")) location.assign(event.detail.xhr.getResponseHeader("X-Login"));
  });

  // after a swap the keyboard goes on at the state of things, not at the top of the page
  document.addEventListener("htmx:afterSettle", () => {
    if (document.activeElement === document.body) document.getElementById("state")?.focus({ preventScroll: true });
  });

  document.addEventListener("click", (event) => {
    const field = event.target.closest("[data-shows]");
    if (!field) return;
    const password = document.getElementById(field.dataset.shows);
    password.type = password.type === "password" ? "text" : "password";
    field.setAttribute("aria-pressed", String(password.type === "text"));
  });

  // in a typed table Enter goes to the next field, and the last row brings another
  document.addEventListener("keydown", (event) => {
    const table = event.target.closest?.("[data-grows]");
    if (event.key !== "Enter" || !table || event.target.tagName !== "INPUT") return;
    event.preventDefault();
    const fields = [...table.querySelectorAll("input:not([type=hidden])")];
    fields[fields.indexOf(event.target) + 1]?.focus();
  });
  document.addEventListener("input", (event) => {
    const body = event.target.closest?.("[data-grows] tbody");
    if (!body || event.target.closest("tr") !== body.lastElementChild) return;
    const row = body.lastElementChild.cloneNode(true);
    const number = body.children.length + 1;
    row.classList.remove("table-danger");
    row.querySelectorAll(".invalid").forEach((reason) => reason.remove());
    row.querySelector("th").textContent = number;
    row.querySelectorAll("input").forEach((field) => {
      field.value = "";
      field.setAttribute("aria-label", field.getAttribute("aria-label").replace(/\d+$/, number));
    });
    body.append(row);
  });
})();
