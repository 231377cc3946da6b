// Before the first paint, so that a dark page does not flash. The choice is the browser's own, and no secret.
(() => {
  const chosen = localStorage.getItem("theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
