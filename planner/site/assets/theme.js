
(() => {
  const root = document.documentElement;
  const themes = ["auto", "light", "dark"];
  const kept = () => { try { return localStorage.getItem("ablation-planner-theme"); } catch { return null; } };
  const keep = (theme) => { try { localStorage.setItem("ablation-planner-theme", theme); } catch { /* nothing is kept */ } };
  let theme = themes.includes(kept()) ? kept() : "auto";
  const dress = () => { root.dataset.theme = theme; };
  dress();
  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("_theme");
    const name = () => { button.textContent = `Theme: ${theme}`; };
    button.hidden = false;
    name();
    button.addEventListener("click", () => {
      theme = themes[(themes.indexOf(theme) + 1) % themes.length];
      keep(theme);
      dress();
      name();
    });
  });
})();
