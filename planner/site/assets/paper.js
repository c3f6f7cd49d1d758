
(() => {
  "use strict";
  const panels = [...document.querySelectorAll(".panel")];
  const box = document.getElementById("_panels");
  const tabs = [...document.querySelectorAll("#_models a")];
  const beside = document.getElementById("_beside");
  const toast = document.getElementById("_toast");
  let together = false;

  const place = () => {
    try { return document.getElementById(decodeURIComponent(location.hash.slice(1))); } catch { return null; }
  };

  function show(panel) {
    for (const one of panels) one.hidden = !together && one !== panel;
    for (const tab of tabs) {
      const chosen = tab.dataset.panel === panel.id;
      tab.setAttribute("aria-selected", chosen);
      tab.tabIndex = chosen ? 0 : -1;
    }
  }

  function follow() {
    const target = place();
    const panel = target?.closest(".panel") ?? panels[0];
    show(panel);
    if (!target || target === panel || !panel.contains(target)) return;
    target.scrollIntoView({ block: "center" });
    target.focus({ preventScroll: true });
  }

  function choose(tab) {
    history.replaceState(null, "", `#${encodeURI(tab.dataset.panel)}`);
    const panel = document.getElementById(tab.dataset.panel);
    show(panel);
    tab.focus();
    if (together) panel.scrollIntoView({ block: "nearest", inline: "start" });
  }

  function step(event) {
    const at = tabs.indexOf(event.currentTarget);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    choose(tabs[(next + tabs.length) % tabs.length]);
  }

  function makeTabs() {
    document.getElementById("_models").setAttribute("role", "tablist");
    box.classList.add("tabbed");
    for (const [at, tab] of tabs.entries()) {
      tab.setAttribute("role", "tab");
      tab.setAttribute("aria-controls", tab.dataset.panel);
      tab.id = `_tab-${at}`;
      tab.addEventListener("click", (event) => { event.preventDefault(); choose(tab); });
      tab.addEventListener("keydown", step);
      panels[at].setAttribute("role", "tabpanel");
    }
    beside.hidden = false;
    beside.addEventListener("click", compare);
  }

  function compare() {
    together = !together;
    beside.setAttribute("aria-pressed", together);
    box.classList.toggle("beside", together);
    box.classList.toggle("tabbed", !together);
    if (together) box.tabIndex = 0; else box.removeAttribute("tabindex");
    show(place()?.closest(".panel") ?? panels[0]);
  }

  function say(text) {
    toast.textContent = text;
    clearTimeout(say.timer);
    say.timer = setTimeout(() => { toast.textContent = ""; }, 4000);
  }

  // Pages from disk or from plain http may have no clipboard of the newer kind.
  function copyByHand(text) {
    const area = document.createElement("textarea");
    area.value = text;
    area.setAttribute("readonly", "");
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return copyByHand(text);
    }
  }

  function offerCopies(group) {
    const forms = JSON.parse(group.querySelector("script").textContent);
    group.hidden = false;
    for (const button of group.querySelectorAll("button")) {
      button.addEventListener("click", async () => {
        const done = await copy(forms[button.dataset.form]);
        button.focus();
        say(done ? `Copied as ${button.textContent}` : "The browser did not allow copying");
      });
    }
  }

  if (tabs.length) makeTabs();
  document.querySelectorAll(".copy").forEach(offerCopies);
  addEventListener("hashchange", follow);
  follow();
})();
