// Bootstrap's dark colours where the device prefers them, and never on paper. Loaded before anything is painted.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const paper = matchMedia("print");
  const paint = () => root.setAttribute("data-bs-theme", dark.matches && !paper.matches ? "dark" : "light");
  paint();
  dark.addEventListener("change", paint);
  paper.addEventListener("change", paint);
  // some browsers copy the page before they take it for paper
  addEventListener("beforeprint", () => root.setAttribute("data-bs-theme", "light"));
  addEventListener("afterprint", paint);
  root.classList.add("js");
})();
