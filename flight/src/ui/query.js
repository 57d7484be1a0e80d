// The form: asks the API, shows what it answers. State is in the URL, with Thanos' names.

import { colour, draw, short } from "./chart.js";

const $ = (id) => document.getElementById(id);
const form = $("form");
const kind = () => form.elements.kind.value;
const SERIES_MAX = 200;
let running = null;

// "15m", "1h30m" or seconds, as the API takes them; in seconds.
function seconds(text) {
  if (/^[0-9.]+$/.test(text)) return Number(text);
  const units = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86400, w: 604800, y: 31536000 };
  let total = 0;
  for (const [, number, unit] of text.matchAll(/([0-9]+)(ms|[smhdwy])/g)) total += Number(number) * units[unit];
  return total;
}

function readUrl() {
  const url = new URLSearchParams(location.search);
  const set = (id, name) => { if (url.has(name)) $(id).value = url.get(name); };
  set("query", "g0.expr");
  set("span", "g0.range_input");
  set("time", "g0.end_input");
  set("step", "g0.step_input");
  if (url.get("g0.tab") === "1") form.elements.kind.value = "instant";
  for (const [id, name] of [["dedup", "g0.deduplicate"], ["partial", "g0.partial_response"]]) {
    if (url.has(name)) $(id).checked = url.get(name) !== "0";
  }
}

function writeUrl() {
  const url = new URLSearchParams({
    "g0.expr": $("query").value,
    "g0.tab": kind() === "instant" ? "1" : "0",
    "g0.range_input": $("span").value,
    "g0.deduplicate": $("dedup").checked ? "1" : "0",
    "g0.partial_response": $("partial").checked ? "1" : "0",
  });
  if ($("time").value) url.set("g0.end_input", $("time").value);
  if ($("step").value) url.set("g0.step_input", $("step").value);
  history.replaceState(null, "", `?${url}`);
}

function parameters() {
  const end = $("time").value ? Date.parse($("time").value) / 1000 : Date.now() / 1000;
  const body = new URLSearchParams({
    query: $("query").value,
    dedup: $("dedup").checked,
    partial_response: $("partial").checked,
  });
  if ($("analyze").checked) body.set("analyze", "true");
  if (kind() === "instant") {
    body.set("time", end.toFixed(3));
    return { path: "api/v1/query", body };
  }
  const span = seconds($("span").value) || 900;
  const step = seconds($("step").value) || Math.max(1, Math.floor(span / 250));
  const last = Math.floor(end / step) * step;
  const first = last - Math.floor(span / step) * step;
  body.set("start", first);
  body.set("end", last);
  body.set("step", step);
  return { path: "api/v1/query_range", body, first, last, step };
}

async function run(event) {
  event?.preventDefault();
  running?.abort();
  running = new AbortController();
  writeUrl();
  const request = parameters();
  const began = performance.now();
  $("state").textContent = "running…";
  try {
    const response = await fetch(request.path, { method: "POST", body: request.body, signal: running.signal });
    const text = await response.text();
    const took = Math.round(performance.now() - began);
    let answer;
    try { answer = JSON.parse(text); } catch { answer = { status: "error", errorType: response.status, error: text }; }
    $("state").textContent = `${took} ms, ${text.length.toLocaleString()} bytes`;
    show(answer, request);
  } catch (error) {
    if (error.name !== "AbortError") show({ status: "error", errorType: "network", error: error.message }, request);
  }
}

function node(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function nameOf(metric) {
  const { __name__: name = "", ...labels } = metric;
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return pairs.length || !name ? `${name}{${pairs.join(", ")}}` : name;
}

function show(answer, request) {
  const notices = [];
  if (answer.status !== "success") notices.push(node("p", `${answer.errorType}: ${answer.error}`, "error"));
  for (const text of answer.warnings ?? []) notices.push(node("p", text, "warning"));
  for (const text of answer.infos ?? []) notices.push(node("p", text));
  $("notices").replaceChildren(...notices);
  $("answer").replaceChildren();
  $("figure").hidden = true;
  $("cursor").textContent = "";
  const data = answer.data;
  if (!data) return;
  const { resultType, result } = data;
  if (resultType === "scalar" || resultType === "string") table([[resultType, result[1]]]);
  else if (resultType === "vector") table(result.map((s) => [nameOf(s.metric), s.value[1]]));
  else if (request.step) graph(result, request);
  else table(result.flatMap((s) => s.values.map(([t, v]) => [`${nameOf(s.metric)} @ ${t}`, v])));
  if (data.analysis) $("answer").append(node("h2", "Plan"), node("pre", plan(data.analysis, 0)));
}

function plan(tree, depth) {
  if (!tree.name) return "";
  const metrics = tree.metrics ? `\n${" ".repeat(depth * 2 + 4)}${tree.metrics}` : "";
  const below = tree.children.map((child) => plan(child, depth + 1)).join("");
  return `${" ".repeat(depth * 2)}${tree.name}${metrics}\n${below}`;
}

function table(rows, colours) {
  const made = node("table");
  const head = made.createTHead().insertRow();
  head.append(node("th", `${rows.length.toLocaleString()} series`), node("th", "value", "value"));
  const body = made.createTBody();
  rows.slice(0, 5000).forEach(([name, value], index) => {
    const row = body.insertRow();
    const cell = row.insertCell();
    if (colours && index < SERIES_MAX) {
      const swatch = node("span", undefined, "swatch");
      const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      for (const [k, v] of Object.entries({ width: "100%", height: "100%", fill: colour(index) })) rect.setAttribute(k, v);
      svg.append(rect);
      swatch.append(svg);
      cell.append(swatch);
    }
    cell.append(name);
    row.append(node("td", value, "value"));
  });
  $("answer").append(made);
}

function graph(result, { first, last, step }) {
  const series = result.slice(0, SERIES_MAX).map((s) => ({
    name: nameOf(s.metric),
    points: s.values.map(([t, v]) => [t, Number(v.replace("Inf", "Infinity"))]),
  }));
  $("figure").hidden = result.length === 0;
  if (result.length > 0) {
    draw($("chart"), series, first, last, step, (at, here) => {
      const shown = here.slice(0, 4).map(([name, value]) => `${name} ${short(value)}`).join("   ");
      const more = here.length > 4 ? `   and ${here.length - 4} more` : "";
      $("cursor").textContent = `${new Date(at * 1000).toLocaleString()}   ${shown}${more}`;
    });
  }
  if (result.length > SERIES_MAX) $("notices").append(node("p", `the graph shows ${SERIES_MAX} of ${result.length} series`, "warning"));
  table(result.map((s) => [nameOf(s.metric), s.values.at(-1)[1]]), true);
}

form.addEventListener("submit", run);
$("query").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey) run(event);
});
fetch("api/v1/status/buildinfo").then((r) => r.json()).then((b) => { $("build").textContent = b.data.version; }).catch(() => {});
readUrl();
if ($("query").value) run();
