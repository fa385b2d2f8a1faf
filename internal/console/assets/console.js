// Makes pages live. The server renders every page whole; this module listens to the page's event stream, fetches the
// page again when something changed, and patches what differs. It also shows times in the browser's zone. Without it
// the console works by reloading.
const main = document.getElementById("main");
const skew = Date.now() - Date.parse(document.body.dataset.now); // of this machine's clock
const forms = {
  clock: new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" }),
  day: new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" }),
  year: new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" }),
};

function span(ms) {
  const s = Math.max(0, Math.floor(ms / 1000)), two = (n) => String(n).padStart(2, "0");
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m ${two(s % 60)}s`;
  if (s < 86400) return `${Math.floor(s / 3600)}h ${two(Math.floor(s / 60) % 60)}m`;
  return `${Math.floor(s / 86400)}d ${two(Math.floor(s / 3600) % 24)}h`;
}

function timeText(el, now) {
  const at = new Date(el.dateTime), gone = now - at;
  switch (el.dataset.form) {
    case "age": return gone < 0 ? `in ${span(-gone)}` : `${span(gone)} ago`;
    case "for": return span(gone);
    case "clock": return forms.clock.format(at);
  }
  const here = new Date(now);
  if (at.toDateString() === here.toDateString()) return forms.clock.format(at);
  return (at.getFullYear() === here.getFullYear() ? forms.day : forms.year).format(at);
}

function localTimes(root, selector = "time[data-form]") {
  for (const el of root.querySelectorAll(selector)) {
    const text = timeText(el, Date.now() - skew);
    if (el.textContent !== text) el.textContent = text;
  }
}

// patch makes a into b. What is equal stays untouched, so focus, scroll and selection survive.
function patch(a, b) {
  if (a.isEqualNode(b)) return;
  if (a.nodeType !== b.nodeType || a.nodeName !== b.nodeName || a.id !== b.id || a.dataset?.key !== b.dataset?.key) {
    a.replaceWith(b);
    return;
  }
  if (a.nodeType !== Node.ELEMENT_NODE) { a.nodeValue = b.nodeValue; return; }
  if (a.id === "pane" || a.id === "pulse") return; // this module's own
  for (const { name, value } of [...b.attributes]) if (a.getAttribute(name) !== value) a.setAttribute(name, value);
  for (const { name } of [...a.attributes]) if (!b.hasAttribute(name) && !(a.nodeName === "DETAILS" && name === "open")) a.removeAttribute(name);
  const named = new Map([...a.children].filter((el) => el.id).map((el) => [el.id, el]));
  const wanted = [...b.childNodes];
  wanted.forEach((child, i) => {
    const old = child.id && named.get(child.id);
    if (old && old !== a.childNodes[i]) a.insertBefore(old, a.childNodes[i] ?? null);
    if (a.childNodes[i]) patch(a.childNodes[i], child); else a.append(child);
  });
  while (a.childNodes.length > wanted.length) a.lastChild.remove();
}

let fetching = false, again = false;
async function refresh() {
  if (fetching) { again = true; return; }
  fetching = true;
  try {
    const key = document.getElementById("pane")?.dataset.key;
    const answer = await fetch(location.href, { headers: { "Reeve-Live": key ?? "page" } });
    if (answer.redirected || answer.status === 401) { location.reload(); return; }
    if (answer.ok) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      localTimes(page);
      patch(main, page.getElementById("main"));
      document.title = page.title;
      followPane();
      if (main.dataset.events !== listening) listen();
    }
  } catch { /* the stream says that the server is away */ }
  setTimeout(() => { fetching = false; if (again) { again = false; refresh(); } }, Number(main.dataset.pace) || 300); // so often at most
}

let source, listening;
function pulse(state, word) {
  const el = document.getElementById("pulse");
  if (!el) return;
  el.hidden = false;
  el.dataset.state = state;
  el.querySelector(".pulse-word").textContent = word;
}

function listen() {
  source?.close();
  listening = main.dataset.events;
  if (!listening) return;
  const at = document.getElementById("pane")?.dataset.at;
  source = new EventSource(listening + (at ? `&after=${at}` : ""));
  let before = false;
  source.onopen = () => { pulse("on", "live"); if (before) refresh(); before = true; };
  source.onerror = () => {
    if (source.readyState !== EventSource.CLOSED) return; // it tries again by itself, and a stream's life is short
    pulse("off", "not live");
    setTimeout(() => { listen(); refresh(); }, 5000);
  };
  source.addEventListener("change", refresh);
  source.addEventListener("output", (e) => output(e, (html) => document.getElementById("lines").append(html)));
  source.addEventListener("begun", (e) => output(e, (html) => document.getElementById("begun").replaceChildren(html)));
  source.addEventListener("done", () => document.getElementById("pane")?.classList.add("ended"));
}

// output adds the server's lines (their text is escaped there) and stays at the end if the reader is there.
function output(event, put) {
  const pane = document.getElementById("pane"), part = document.createElement("template");
  if (!pane) return;
  const atEnd = pane.scrollHeight - pane.scrollTop - pane.clientHeight < 40;
  part.innerHTML = event.data;
  localTimes(part.content);
  put(part.content);
  const lines = document.getElementById("lines");
  while (lines.childElementCount > 5000) lines.firstElementChild.remove();
  if (event.lastEventId) pane.dataset.at = event.lastEventId;
  if (atEnd) pane.scrollTop = pane.scrollHeight;
}

// lookAt brings what is chosen into sight, in a frame that is smaller than what it holds.
function lookAt(frame, chosen) {
  const el = frame && (frame.querySelector(chosen) ?? frame.querySelector("rect"));
  if (!el) return;
  const box = el.getBoundingClientRect(), port = frame.getBoundingClientRect();
  frame.scrollBy(box.x + box.width / 2 - port.x - port.width / 2, box.y + box.height / 2 - port.y - port.height / 2);
}

let shown;
function followPane() { // a pane that is new begins at its end
  const pane = document.getElementById("pane");
  if (pane && pane !== shown) pane.scrollTop = pane.scrollHeight;
  shown = pane;
}

localTimes(document);
followPane();
lookAt(document.getElementById("graph"), ".selected rect");
lookAt(document.querySelector(".jobs-scroll"), "tr.selected");
setInterval(() => localTimes(document, 'time[data-form="for"],time[data-form="age"]'), 1000);
if (main.dataset.events) {
  listen();
  setInterval(() => { if (!document.hidden && main.querySelector(".state-running")) refresh(); }, 10000); // time lines grow
  setInterval(() => { if (!document.hidden && main.querySelector("[data-clock]")) refresh(); }, 60000); // what is due moves with time alone
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { source?.close(); pulse("off", "paused"); } else { listen(); refresh(); }
  });
}
