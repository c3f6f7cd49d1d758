
(() => {
  "use strict";
  const PAGE = 100;
  const FEW_MODELS = 8;
  const SIGNS = { REMOVE: "−", REPLACE: "⇄", ADD: "+" };
  const at = (id) => document.getElementById(id);
  const data = JSON.parse(at("_data").textContent);
  const form = at("_filters");
  const list = document.querySelector("table.list");
  const order = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
  const rows = data.rows.map(unpack);
  let shown = rows;
  let lost = [];
  let page = 0;
  let sort = { by: "title", way: 1 };
  let everyModel = false;

  function unpack([paper, model, task, outcome, studies, cost, anchor, ablations, reason], number) {
    const [file, title] = data.papers[paper];
    return {
      number, paper, file, title, anchor, studies, shared: studies.length, cost, ablations, reason: reason ?? "",
      model: data.models[model], task: data.tasks[task], outcome: data.outcomes[outcome], count: ablations.length,
    };
  }

  function make(tag, values = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(values)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }

  const namesakes = Map.groupBy(data.papers, ([, title]) => title);
  const isShared = (title) => namesakes.get(title).length > 1;
  const isPlan = (row) => row.outcome === "planned" || row.count > 0;
  const plans = rows.filter(isPlan).length;
  const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const words = (outcome) => outcome.replaceAll("_", " ");
  const counted = (n) => n.toLocaleString("en");
  function money(usd) {
    if (usd === null) return "";
    return usd >= 1 || usd === 0 ? `$${usd.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}` : `$${Number(usd.toPrecision(2))}`;
  }

  // The texts to search in, made at the first search.
  function haystack(row) {
    row.hay ??= plain([row.title, row.file, ...row.ablations.flatMap(([, name, other]) => [name, other])].join("\n"));
    return row.hay;
  }

  function wanted() {
    const { q, model, task, outcome, action } = Object.fromEntries(new FormData(form));
    const terms = plain(q).split(/\s+/).filter(Boolean);
    const number = data.actions.indexOf(action);
    return (row) =>
      (!model || row.model === model) &&
      (!task || row.task === task) &&
      (!outcome || row.outcome === outcome) &&
      (!action || row.ablations.some(([kind]) => kind === number)) &&
      terms.every((term) => haystack(row).includes(term));
  }

  const titleOrder = (() => {
    const titles = data.papers.map(([, title], paper) => [title, paper]).sort((a, b) => order.compare(a[0], b[0]) || a[1] - b[1]);
    const ranks = new Int32Array(titles.length);
    titles.forEach(([, paper], rank) => { ranks[paper] = rank; });
    return ranks;
  })();

  const COMPARE = {
    title: (a, b) => titleOrder[a.paper] - titleOrder[b.paper],
    model: (a, b) => order.compare(a.model, b.model),
    count: (a, b) => a.count - b.count,
    shared: (a, b) => a.shared - b.shared,
    cost: (a, b) => a.cost - b.cost,
  };

  function inOrder(found) {
    const compare = COMPARE[sort.by];
    const unknown = (row) => sort.by === "cost" && row.cost === null;
    return found.toSorted((a, b) =>
      unknown(a) - unknown(b) || sort.way * compare(a, b) || COMPARE.title(a, b) || a.number - b.number);
  }

  function marked(text, terms) {
    if (!terms.length) return [text];
    const escaped = terms.map((term) => term.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    const parts = text.split(new RegExp(`(${escaped.join("|")})`, "giu"));
    return parts.map((part, place) => (place % 2 ? make("mark", {}, part) : part));
  }

  function ablations(row, terms) {
    return make("ul", { role: "list" }, ...row.ablations.map(([kind, name]) => {
      const action = data.actions[kind];
      const sign = make("span", { class: `sign ${action.toLowerCase()}`, "aria-hidden": "true" }, SIGNS[action]);
      return make("li", {}, sign, "\u00a0", make("span", { class: "unseen" }, `${action.toLowerCase()} `), make("span", { dir: "auto" }, ...marked(name, terms)));
    }));
  }

  const cell = (values, ...children) => make("td", { role: "cell", ...values }, ...children);

  function line(row, terms) {
    const href = `papers/${encodeURIComponent(row.file)}.html#${encodeURI(row.anchor)}`;
    const number = (name, label, text) => cell({ class: `n ${name}`, "data-label": label }, text);
    const soft = [data.tasks.length > 1 ? row.task : "", row.outcome === "planned" ? "" : words(row.outcome)].filter(Boolean);
    return make("tr", { role: "row" },
      cell({ class: "model" }, make("a", { href, dir: "auto" }, row.model), ...soft.map((text) => make("span", { class: "soft" }, ` ${text}`))),
      cell({ class: "ablations" }, ablations(row, terms)),
      number("", row.count === 1 ? "ablation" : "ablations", counted(row.count)),
      number("shared", "by several", counted(row.shared)),
      number("cost", "", money(row.cost)));
  }

  function group(lines, terms) {
    const { file, title } = lines[0];
    const link = make("a", { href: `papers/${encodeURIComponent(file)}.html` }, ...marked(title, terms));
    const which = isShared(title) ? [" ", make("span", { class: "soft" }, file)] : [];
    const colspan = list.tHead.rows[0].cells.length - list.classList.contains("no-cost") - list.classList.contains("one-model");
    const head = make("tr", { role: "row", class: "paper" }, make("th", { role: "rowheader", scope: "rowgroup", colspan, dir: "auto" }, link, ...which));
    return make("tbody", { role: "rowgroup" }, head, ...lines.map((row) => line(row, terms)));
  }

  function showRows() {
    const terms = form.elements.q.value.toLowerCase().split(/\s+/).filter(Boolean);
    const groups = [];
    for (const row of shown.slice(page * PAGE, (page + 1) * PAGE)) {
      if (groups.at(-1)?.[0].paper === row.paper) groups.at(-1).push(row); else groups.push([row]);
    }
    list.classList.toggle("no-cost", shown.every((row) => row.cost === null));
    list.querySelectorAll("tbody").forEach((body) => body.remove());
    list.append(...groups.map((lines) => group(lines, terms)));
    const pages = Math.ceil(shown.length / PAGE);
    list.hidden = !shown.length;
    at("_empty").hidden = shown.length + lost.length > 0;
    at("_pager").hidden = pages < 2;
    at("_page").textContent = `Page ${page + 1} of ${counted(pages)}`;
    const [back, on] = at("_pager").querySelectorAll("button");
    back.setAttribute("aria-disabled", page === 0);
    on.setAttribute("aria-disabled", page >= pages - 1);
    at("_status").textContent = shown.length === plans ? `${counted(plans)} in all` : `${counted(shown.length)} of ${counted(plans)}`;
  }

  function lostLine(row, terms) {
    const page = `papers/${encodeURIComponent(row.file)}.html`;
    const paper = make("a", { href: `${page}#${encodeURI(row.anchor)}`, dir: "auto" }, ...marked(row.title, terms));
    const outcome = make("span", { class: "failed" }, words(row.outcome));
    return make("tr", { role: "row" },
      make("th", { role: "rowheader", scope: "row" }, paper),
      cell({ dir: "auto" }, row.model),
      cell({}, outcome, " ", make("span", { class: "soft", dir: "auto" }, row.reason)));
  }

  function showLost() {
    const terms = form.elements.q.value.toLowerCase().split(/\s+/).filter(Boolean);
    at("_failures").hidden = !lost.length;
    if (lost.length && !shown.length) at("_failures").open = true;
    at("_lost").textContent = lost.length > PAGE ? `${counted(PAGE)} of ${counted(lost.length)}; search to see others` : counted(lost.length);
    at("_reasons").replaceChildren(...lost.slice(0, PAGE).map((row) => lostLine(row, terms)));
  }

  const sum = (values) => values.reduce((total, value) => total + value, 0);

  function costs(some) {
    const known = some.filter((row) => row.cost !== null);
    return { total: sum(known.map((row) => row.cost)), known: known.length, unknown: some.length - known.length };
  }


  function showTotals() {
    const { total, known, unknown } = costs(shown);
    const several = new Set(shown.flatMap((row) => row.studies.map((study) => `${row.paper}/${study}`)));
    const named = (n, one, many) => [n === 1 ? one : many, counted(n)];
    const totals = [
      named(new Set(shown.map((row) => row.paper)).size, "paper", "papers"),
      named(shown.length, "plan", "plans"),
      named(sum(shown.map((row) => row.count)), "ablation", "ablations"),
      ...(data.models.length > 1 ? [named(several.size, "study by several models", "studies by several models")] : []),
      ...(known ? [[unknown ? `cost of ${counted(known)} plan${known === 1 ? "" : "s"}` : "cost", money(total)]] : []),
    ];
    at("_totals").replaceChildren(...totals.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
  }

  // A stacked bar of parts [class, size] on a scale that ends at `whole`.
  function bar(parts, whole) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    for (const [name, value] of Object.entries({ class: "bars", viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" })) svg.setAttribute(name, value);
    let x = 0;
    for (const [name, size] of parts) {
      const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      const width = whole ? (100 * size) / whole : 0;
      for (const [key, value] of Object.entries({ class: name, x, y: 0, width, height: 6 })) rect.setAttribute(key, value);
      svg.append(rect);
      x += width;
    }
    return svg;
  }

  const tally = (names, keys) => names.map((name) => [name, keys.filter((key) => key === name).length]).filter(([, n]) => n);

  function modelLine([model, some], most) {
    const outcomes = tally(data.outcomes.toSorted((a, b) => (b === "planned") - (a === "planned")), some.map((row) => row.outcome));
    const kinds = some.flatMap((row) => row.ablations.map(([kind]) => data.actions[kind]));
    const actions = tally(data.actions, kinds);
    const cost = costs(some);
    const lines = (...parts) => cell({}, ...parts.map((part) => (part.nodeType ? part : make("p", {}, part))));
    return make("tr", { role: "row" },
      make("th", { role: "rowheader", scope: "row", dir: "auto" }, model),
      lines(bar(outcomes, most.rows), outcomes.map(([name, n]) => `${counted(n)} ${words(name)}`).join(", ")),
      lines(bar(actions.map(([name, n]) => [`fill-${name.toLowerCase()}`, n]), kinds.length), actions.map(([name, n]) => `${SIGNS[name]} ${counted(n)} ${name.toLowerCase()}`).join("  ")),
      cost.known ? lines(bar([["fill-cost", cost.total]], most.cost), `${money(cost.total)}, ${money(cost.total / cost.known)} a plan`) : lines());
  }

  function showModels() {
    const byModel = [...Map.groupBy([...shown, ...lost], (row) => row.model)].sort((a, b) => order.compare(a[0], b[0]));
    const most = {
      rows: Math.max(0, ...byModel.map(([, some]) => some.length)),
      cost: Math.max(0, ...byModel.map(([, some]) => costs(some).total)),
    };
    const drawn = everyModel ? byModel : byModel.slice(0, FEW_MODELS);
    at("_by-model").replaceChildren(...drawn.map((one) => modelLine(one, most)));
    at("_all-models").hidden = drawn.length === byModel.length;
    at("_all-models").textContent = `Show all ${counted(byModel.length)} models`;
  }

  function showSort() {
    for (const button of list.querySelectorAll("[data-sort]")) {
      const chosen = button.dataset.sort === sort.by;
      button.setAttribute("aria-pressed", chosen);
      if (chosen) button.dataset.way = sort.way; else delete button.dataset.way;
    }
    for (const head of list.querySelectorAll("thead th")) head.removeAttribute("aria-sort");
    list.querySelector(`[data-sort="${sort.by}"]`).closest("th").setAttribute("aria-sort", sort.way > 0 ? "ascending" : "descending");
  }

  // The search, filters, sort and page are in the address, so that a view can be shared.
  function keep() {
    const state = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
    if (sort.by !== "title" || sort.way < 0) state.set("sort", `${sort.way < 0 ? "-" : ""}${sort.by}`);
    if (page) state.set("page", page + 1);
    history.replaceState(null, "", `#${state}`);
  }

  function restore() {
    const state = new URLSearchParams(location.hash.slice(1));
    for (const name of ["q", "model", "task", "outcome", "action"]) {
      form.elements[name].value = state.get(name) ?? "";
      if (form.elements[name].selectedIndex === -1) form.elements[name].value = "";
    }
    const by = (state.get("sort") ?? "title").replace(/^-/, "");
    if (Object.hasOwn(COMPARE, by)) sort = { by, way: state.get("sort")?.startsWith("-") ? -1 : 1 };
    page = Math.max(0, (Number.parseInt(state.get("page"), 10) || 1) - 1);
  }

  function update({ first = true } = {}) {
    form.querySelector("[type=reset]").hidden = [...new FormData(form).values()].every((value) => !value);
    const found = inOrder(rows.filter(wanted()));
    shown = found.filter(isPlan);
    lost = found.filter((row) => !isPlan(row));
    page = first ? 0 : Math.min(page, Math.max(0, Math.ceil(shown.length / PAGE) - 1));
    showRows();
    showLost();
    showTotals();
    showModels();
    showSort();
  }

  function fill(name, values, all) {
    const options = values.toSorted(order.compare).map((value) => make("option", { value }, words(value)));
    form.elements[name].replaceChildren(make("option", { value: "" }, all), ...options);
    form.elements[name].closest("label").hidden = values.length < 2;
  }

  function changed() { update(); keep(); }

  function listen() {
    form.addEventListener("input", changed);
    form.addEventListener("reset", () => setTimeout(() => { changed(); form.elements.q.focus(); }));
    form.addEventListener("submit", (event) => event.preventDefault());
    at("_clear").addEventListener("click", () => form.reset());
    at("_all-models").addEventListener("click", () => { everyModel = true; showModels(); });
    list.querySelector("thead").addEventListener("click", ({ target }) => {
      const by = target.dataset.sort;
      if (!by) return;
      const first = by === "title" || by === "model" ? 1 : -1;
      sort = { by, way: sort.by === by ? -sort.way : first };
      changed();
    });
    at("_pager").addEventListener("click", ({ target }) => {
      if (!target.dataset.step || target.getAttribute("aria-disabled") === "true") return;
      page += Number(target.dataset.step);
      showRows();
      keep();
      at("_list").scrollIntoView();
    });
    addEventListener("keydown", (event) => {
      if (event.key !== "/" || event.target.closest?.("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      form.elements.q.focus();
    });
    addEventListener("hashchange", () => {
      if (location.hash.startsWith("#_")) return; // a place on this page, no view of the list
      restore();
      update({ first: false });
    });
  }

  at("_app").hidden = false;
  list.classList.toggle("one-model", data.models.length < 2);
  at("_plots").open = innerWidth > 832;
  fill("model", data.models, "All models");
  fill("task", data.tasks, "All tasks");
  fill("outcome", data.outcomes, "All outcomes");
  fill("action", data.actions, "All actions");
  restore();
  update({ first: false });
  listen();
})();
