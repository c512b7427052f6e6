// Bootstrap's dark colours where the device prefers them. Loaded before anything is painted.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const paint = () => root.setAttribute("data-bs-theme", dark.matches ? "dark" : "light");
  paint();
  dark.addEventListener("change", paint);
  root.classList.add("js");
})();
