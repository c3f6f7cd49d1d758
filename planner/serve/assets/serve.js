// Sends a person's actions to the program on this machine, and shows its answers. No text becomes markup.
const base = document.body.dataset.base;
const byId = (id) => document.getElementById(id);
const focusKey = "ablation-planner-focus";
const gone = "The program does not answer. It may have been stopped; start it again and open the address that it prints.";

function tell(text) {
  byId("_problem").textContent = text;
  byId("_problem").hidden = !text;
}

async function send(path, body, type = "application/json") {
  tell("");
  let response;
  try {
    response = await fetch(base + path, { method: "POST", headers: { "content-type": type }, body });
  } catch {
    tell(gone);
    return null;
  }
  const answer = await response.json().catch(() => ({ error: `The program refused this (${response.status}).` }));
  if (response.ok) return answer;
  tell(answer.error);
  return null;
}

// Reads a page of the program as a document, in which no script runs; null if it shows a problem instead.
function readPage(address, id) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("GET", address);
    request.responseType = "document";
    request.onerror = () => { tell(gone); resolve(null); };
    request.onload = () => {
      const page = request.response;
      const found = page?.getElementById(id);
      tell(found ? "" : page?.querySelector("main .failure")?.textContent ?? `The program refused this (${request.status}).`);
      resolve(found ? page : null);
    };
    request.send();
  });
}

const replace = (page, id) => byId(id).replaceChildren(...page.getElementById(id).childNodes);

async function sendAndGo(button, path, message) {
  button.disabled = true;
  const answer = await send(path, JSON.stringify(message));
  if (answer) location.assign(base + answer.to);
  else button.disabled = false;
}

function takePaper() {
  const drop = byId("_drop");
  const take = async (files) => {
    const answers = [];
    const problems = new Set();
    for (const file of files) {
      byId("_toast").textContent = `Reading ${file.name} …`;
      const answer = await send(`papers?name=${encodeURIComponent(file.name)}`, file, "application/octet-stream");
      if (answer) answers.push(answer.to); else problems.add(byId("_problem").textContent);
    }
    byId("_toast").textContent = "";
    if (answers.length && !problems.size) location.assign(base + (files.length === 1 ? answers[0] : ""));
    const page = answers.length && problems.size ? await readPage(base, "_lists") : null;
    if (page) replace(page, "_lists");
    tell([...problems].join(" "));
  };
  byId("_file").addEventListener("change", ({ target }) => {
    take([...target.files]);
    target.value = ""; // so that the same file can be chosen again
  });
  for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
    addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", name === "dragenter" || name === "dragover");
      if (name === "drop") take([...event.dataTransfer.files]);
    });
  }
  byId("_arxiv")?.addEventListener("submit", (event) => {
    event.preventDefault();
    sendAndGo(event.submitter, "arxiv", { id: new FormData(event.target).get("id") });
  });
}

function startPlan() {
  const form = byId("_plan");
  const start = byId("_start");
  const { k, model, name } = form.elements;
  let timer;
  let last = 0;
  // The tokens and the price follow the form; the number of ablations follows the task until a person enters one.
  const update = async () => {
    const settings = new FormData(form);
    if (!("chosen" in k.dataset)) settings.delete("k");
    const address = `?${new URLSearchParams(settings)}`;
    const turn = last;
    const page = k.checkValidity() ? await readPage(address, "_plan") : null;
    if (turn !== last) return;
    start.disabled = false;
    byId("_price").removeAttribute("aria-busy");
    if (!page) return;
    replace(page, "_price");
    replace(page, "_facts");
    if (!("chosen" in k.dataset)) k.value = page.getElementById("_plan").elements.k.value;
    history.replaceState(null, "", address);
  };
  form.addEventListener("input", (event) => {
    if (event.target === k) k.dataset.chosen = "";
    name.closest("label").hidden = !["other", "by-hand"].includes(model.value);
    name.required = model.value === "other";
    start.disabled = true;
    byId("_price").setAttribute("aria-busy", "true");
    last += 1;
    clearTimeout(timer);
    timer = setTimeout(update, 300);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  start.addEventListener("click", (event) => {
    if (!form.reportValidity()) return;
    const { k, force, ...settings } = Object.fromEntries(new FormData(form));
    sendAndGo(event.target, `papers/${form.dataset.paper}/jobs`, { ...settings, k: Number(k), force: Boolean(force) });
  });
}

function followJob() {
  const live = byId("_live");
  let events;
  const add = (kind, text) => {
    const last = live.lastElementChild;
    const isNear = window.innerHeight + window.scrollY > document.body.scrollHeight - 200;
    if (kind === "pre" && last?.tagName === "PRE") last.append(text);
    else live.append(Object.assign(document.createElement(kind), { textContent: text }));
    const shown = live.lastElementChild;
    if (kind === "pre") shown.tabIndex = 0;
    shown.scrollTop = shown.scrollHeight;
    if (isNear) window.scrollTo(0, document.body.scrollHeight);
  };
  const follow = () => {
    events = new EventSource(`${base}jobs/${live.dataset.job}/events`);
    events.addEventListener("begin", () => { live.replaceChildren(); tell(""); });
    events.addEventListener("note", (event) => add("p", JSON.parse(event.data)));
    events.addEventListener("text", (event) => add("pre", JSON.parse(event.data)));
    events.addEventListener("state", (event) => {
      const state = JSON.parse(event.data);
      if (state === live.dataset.progress) {
        if (/^(planned|failed|cancelled)/.test(state)) events.close();
        return;
      }
      events.close();
      location.reload();
    });
    events.addEventListener("error", () => tell(gone));
  };
  follow();
  // A browser keeps six connections to one host: tabs that nobody looks at must not take them all.
  document.addEventListener("visibilitychange", () => {
    events.close();
    if (!document.hidden) follow();
  });
  const job = `jobs/${live.dataset.job}`;
  byId("_cancel")?.addEventListener("click", (event) => sendAndGo(event.target, `${job}/cancel`, {}));
  byId("_reply")?.addEventListener("submit", (event) => {
    event.preventDefault();
    const reply = new FormData(event.target).get("reply");
    sendAndGo(event.submitter, `${job}/reply`, { number: Number(event.target.dataset.number), reply });
  });
}

async function copyFrom(button) {
  const area = byId(button.dataset.copies);
  try {
    await navigator.clipboard.writeText(area.value);
  } catch {
    area.select();
    document.execCommand("copy");
    button.focus();
  }
  byId("_toast").textContent = "Copied";
  setTimeout(() => { byId("_toast").textContent = ""; }, 4000);
}

function editPlan() {
  const plan = byId("_edited");
  const change = async (source, replacement = []) => {
    const { change: what, ablation } = source.dataset;
    const message = { change: what, ablation, version: plan.dataset.version, replacement };
    if (!await send(`plans/${plan.dataset.plan}`, JSON.stringify(message))) return;
    sessionStorage.setItem(focusKey, JSON.stringify([source.id, ablation]));
    location.reload();
  };
  for (const button of plan.querySelectorAll(".tools > button")) button.addEventListener("click", () => change(button));
  for (const form of plan.querySelectorAll(".tools form")) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const lines = new FormData(form).get("replacement").split("\n").map((line) => line.trim());
      change(form, lines.filter(Boolean));
    });
  }
  restoreFocus(plan);
}

// The page is loaded again after each change; the focus stays where it was.
function restoreFocus(plan) {
  const [id, ablation] = JSON.parse(sessionStorage.getItem(focusKey) ?? "[]");
  sessionStorage.removeItem(focusKey);
  if (!ablation) return;
  const own = id && byId(id);
  const target = own && !own.disabled ? own : plan.querySelector(`.tools > button[data-ablation="${CSS.escape(ablation)}"]:not(:disabled)`);
  for (let box = target?.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
  target?.focus();
}

if (byId("_drop")) takePaper();
if (byId("_plan")) startPlan();
if (byId("_live")) followJob();
if (byId("_edited")) editPlan();
for (const button of document.querySelectorAll("[data-copies]")) button.addEventListener("click", () => copyFrom(button));
