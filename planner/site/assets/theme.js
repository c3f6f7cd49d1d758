(() => {
  const root = document.documentElement;
  const themes = ["auto", "light", "dark"];
  const kept = () => { try { return localStorage.getItem("ablation-planner-theme"); } catch { return null; } };
  const keep = (theme) => { try { localStorage.setItem("ablation-planner-theme", theme); } catch { /* nothing is kept */ } };
  const button = () => document.getElementById("_theme");
  let theme = "auto";
  const show = (chosen) => {
    theme = themes.includes(chosen) ? chosen : "auto";
    root.dataset.theme = theme;
    if (button()) button().textContent = `Theme: ${theme}`;
  };
  show(kept());
  // Another page's choice can arrive late: browsers write it in their own time, and "back" shows a page as it was left.
  addEventListener("storage", () => show(kept()));
  addEventListener("pageshow", (event) => { if (event.persisted) show(kept()); });
  document.addEventListener("DOMContentLoaded", () => {
    button().hidden = false;
    show(theme);
    button().addEventListener("click", () => {
      show(themes[(themes.indexOf(theme) + 1) % themes.length]);
      keep(theme);
    });
  });
})();
