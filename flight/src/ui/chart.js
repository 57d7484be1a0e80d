// A line chart of a matrix as SVG: axes, one path a series, and the values under the pointer.

const SVG = "http://www.w3.org/2000/svg";
const MARGIN = { top: 10, right: 12, bottom: 24, left: 64 };

// Hues by the golden angle: neighbours differ, and a series keeps its colour.
export const colour = (index) => `hsl(${(index * 137.5) % 360} 60% 48%)`;

function element(name, attributes, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

// Round steps: 1, 2 or 5 times a power of ten.
function ticks(low, high, count) {
  const rough = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough);
  const marks = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step * 1e-9; at += step) marks.push(at);
  return marks;
}

export function short(value) {
  const size = Math.abs(value);
  if (size >= 1e4 || (size > 0 && size < 1e-3)) return value.toExponential(2);
  return String(Number(value.toPrecision(4)));
}

// Draws `series` ([{name, points: [[seconds, number]]}]) and calls `show` with what is under the pointer.
export function draw(svg, series, start, end, step, show) {
  const { width, height } = svg.getBoundingClientRect();
  svg.replaceChildren();
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const values = series.flatMap((s) => s.points.map((p) => p[1])).filter(Number.isFinite);
  let [low, high] = bounds(values);
  if (low === high) { low -= Math.abs(low) * 0.1 || 1; high += Math.abs(high) * 0.1 || 1; }
  const x = (t) => MARGIN.left + ((t - start) / (end - start || 1)) * (width - MARGIN.left - MARGIN.right);
  const y = (v) => height - MARGIN.bottom - ((v - low) / (high - low)) * (height - MARGIN.top - MARGIN.bottom);
  for (const mark of ticks(low, high, 5)) {
    svg.append(element("line", { class: "rule", x1: MARGIN.left, x2: width - MARGIN.right, y1: y(mark), y2: y(mark) }));
    svg.append(element("text", { x: MARGIN.left - 6, y: y(mark) + 4, "text-anchor": "end" }, short(mark)));
  }
  for (let i = 0; i <= 4; i += 1) {
    const time = start + ((end - start) * i) / 4;
    const anchor = i === 0 ? "start" : i === 4 ? "end" : "middle";
    svg.append(element("text", { x: x(time), y: height - 6, "text-anchor": anchor }, new Date(time * 1000).toLocaleTimeString()));
  }
  series.forEach((s, index) => {
    let path = "";
    let before = -Infinity;
    for (const [t, v] of s.points) {
      if (!Number.isFinite(v)) continue;
      // A step without a value breaks the line.
      path += `${t - before > step * 1.5 ? "M" : "L"}${x(t).toFixed(1)} ${y(v).toFixed(1)}`;
      if (t - before > step * 1.5) path += "h0.01";
      before = t;
    }
    svg.append(element("path", { d: path, stroke: colour(index), "stroke-linecap": "round" }));
  });
  const line = element("line", { class: "rule", y1: MARGIN.top, y2: height - MARGIN.bottom, visibility: "hidden" });
  svg.append(line);
  svg.onpointermove = (event) => {
    const time = start + ((event.offsetX - MARGIN.left) / (width - MARGIN.left - MARGIN.right)) * (end - start);
    const at = start + Math.round((time - start) / step) * step;
    if (at < start || at > end) return;
    line.setAttribute("x1", x(at));
    line.setAttribute("x2", x(at));
    line.setAttribute("visibility", "visible");
    const here = series.map((s) => [s.name, s.points.find((p) => Math.abs(p[0] - at) < step / 2)]).filter((e) => e[1]);
    show(at, here.map(([name, point]) => [name, point[1]]));
  };
  svg.onpointerleave = () => line.setAttribute("visibility", "hidden");
}

function bounds(values) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low === Infinity ? [0, 1] : [low, high];
}
