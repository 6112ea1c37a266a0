// <ops-chart>: figures over time, drawn by uPlot from the JSON in its child script:
// {"label", "kind": "count"|"tokens"|"ms"|"ratio"|"money" or "" (then "unit" is written behind values), "unit",
//  "times": [unix seconds], "ends"?: [where each step ends], "zone"?, "days"?: steps are days or longer, "stacked"?,
//  "series": [{"label", "values": [number|null], "texts"?: [exact words], "href"?: the calls, "tone"?: "danger"|"rest"}]}
// null is unknown and leaves a gap. Dragging fires "range" with {from, to} in unix seconds; a click on a point opens the
// series' `href` with the window of that step. It redraws on resize, theme change and morph.
class OpsChart extends HTMLElement {
  connectedCallback() {
    this.resize = new ResizeObserver(() => this.plot?.setSize(this.box()));
    this.renew = () => this.draw();
    this.scheme = matchMedia("(prefers-color-scheme: dark)");
    this.scheme.addEventListener("change", this.renew);
    document.addEventListener("holdfast:theme", this.renew);
    this.draw();
    this.resize.observe(this);
  }

  disconnectedCallback() {
    this.resize.disconnect();
    this.scheme.removeEventListener("change", this.renew);
    document.removeEventListener("holdfast:theme", this.renew);
    this.plot?.destroy();
    this.plot = null;
  }

  box() {
    return { width: Math.max(this.clientWidth, 120), height: Number(this.getAttribute("height") || 160) };
  }

  draw() {
    const source = this.querySelector("script[type='application/json']");
    if (!source || !window.uPlot) return;
    const chart = JSON.parse(source.textContent);
    const style = getComputedStyle(this);
    const colour = (name) => style.getPropertyValue(name).trim() && this.resolve(`var(${name})`);
    this.plot?.destroy();
    this.plot = new window.uPlot({
      ...this.box(),
      padding: [8, 24, 0, 0],
      cursor: { drag: { x: true, y: false, setScale: false }, focus: { prox: 24 }, points: { size: 7 } },
      focus: { alpha: chart.series.length > 1 && !chart.stacked ? 0.35 : 1 },
      tzDate: (seconds) => window.uPlot.tzDate(new Date(seconds * 1000), chart.zone || "UTC"),
      scales: { y: { range: (_, low, high) => [Math.min(low ?? 0, 0), high > 0 ? high * 1.06 : 1] } },
      axes: [
        { ...this.axis(colour, style), size: 24, gap: 4, values: (_, ticks) => ticks.map((tick) => this.moment(tick, chart, false)) },
        { ...this.axis(colour, style), size: 62, values: (_, ticks) => ticks.map((tick) => this.short(tick, chart)) },
      ],
      series: [
        { label: "", value: (_, at) => (at == null ? "" : this.moment(at, chart, true)) },
        ...chart.series.map((one, index) => this.series(one, index, chart, colour)),
      ],
      legend: { live: true },
      hooks: {
        setSelect: [(plot) => this.select(plot)],
        ready: [(plot) => plot.over.addEventListener("click", () => this.open(plot, chart))],
      },
    }, [chart.times, ...this.heights(chart)], this);
  }

  axis(colour, style) {
    return { stroke: colour("--faint"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: `11px ${style.fontFamily}` };
  }

  series(one, index, chart, colour) {
    const failing = one.tone === "danger" && chart.series.length === 1;
    const stroke = failing ? colour("--danger") : one.tone === "rest" ? colour("--bar") : colour(`--series-${index % 8 + 1}`);
    const alone = (plot, number) => {
      const values = plot.data[number];
      return values.map((value, at) => at).filter((at) => values[at] != null && values[at - 1] == null && values[at + 1] == null);
    };
    return {
      label: one.label, spanGaps: false, stroke, width: chart.stacked ? 0 : 1.5,
      value: (_, __, ___, at) => this.exact(one, at, chart),
      points: chart.stacked ? { show: false } : { show: true, size: 4, fill: stroke, filter: alone },
      ...(chart.stacked && { fill: stroke, paths: window.uPlot.paths.bars({ size: [0.82, 60], align: 1 }) }),
      dash: !chart.stacked && index >= 8 ? [5, 3] : undefined,
    };
  }

  // What is drawn: the values, or, stacked, each on top of all that stand after it, so that the first is drawn behind.
  heights(chart) {
    const drawn = chart.series.map((one) => one.values);
    if (!chart.stacked) return drawn;
    return drawn.map((_, index) => chart.times.map((__, at) => {
      const below = drawn.slice(index).map((values) => values[at]).filter((value) => value != null);
      return below.length ? below.reduce((sum, value) => sum + value, 0) : null;
    }));
  }

  moment(seconds, chart, full) {
    const zone = { timeZone: chart.zone || "UTC" };
    const at = new Date(seconds * 1000);
    const day = at.toLocaleDateString("en-GB", { ...zone, day: "numeric", month: "short" });
    if (chart.days) return day;
    const clock = at.toLocaleTimeString("en-GB", { ...zone, hour: "2-digit", minute: "2-digit" });
    return full ? `${day} ${clock}` : clock === "00:00" ? day : clock;
  }

  short(value, chart) {
    const unit = chart.kind ? "" : chart.unit || "";
    if (chart.kind === "ratio") return `${Number((value * 100).toPrecision(3))} %`;
    if (chart.kind === "ms") return value >= 1000 ? `${Number((value / 1000).toPrecision(3))} s` : `${Number(value.toPrecision(3))} ms`;
    const sign = chart.kind === "money" ? { USD: "$", EUR: "€", GBP: "£", JPY: "¥" }[chart.unit] ?? `${chart.unit} ` : "";
    const size = Math.abs(value);
    const [by, letter] = size >= 1e9 ? [1e9, " B"] : size >= 1e6 ? [1e6, " M"] : size >= 1e4 ? [1e3, " k"] : [1, ""];
    return `${sign}${Number((value / by).toPrecision(4)).toLocaleString("en-US", { maximumFractionDigits: 10 })}${letter} ${unit}`.trim();
  }

  exact(one, at, chart) {
    if (at == null) return "";
    const value = one.values[at];
    if (value == null) return "no data";
    if (one.texts) return one.texts[at];
    if (chart.kind === "count" || chart.kind === "tokens") return value.toLocaleString("en-US");
    return this.short(value, chart);
  }

  resolve(value) {
    const probe = document.createElement("span");
    probe.style.color = value;
    this.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  }

  // The calls behind the point nearest to the pointer.
  open(plot, chart) {
    const { idx, top } = plot.cursor;
    if (idx == null || plot.select.width >= 4) return;
    const far = (number) => {
      const value = plot.data[number + 1][idx];
      return value == null ? Infinity : Math.abs(plot.valToPos(value, "y") - top);
    };
    const hit = (number) => {
      const value = plot.data[number + 1][idx], under = plot.data[number + 2]?.[idx] ?? 0;
      return value != null && plot.valToPos(value, "y") <= top && plot.valToPos(under, "y") >= top;
    };
    const numbers = chart.series.map((_, number) => number);
    const nearest = chart.stacked ? numbers.find(hit) : numbers.sort((a, b) => far(a) - far(b))[0];
    const href = nearest == null ? "" : chart.series[nearest].href;
    if (!href || (!chart.stacked && far(nearest) === Infinity)) return;
    const iso = (seconds) => new Date(seconds * 1000).toISOString().replace(".000", "");
    const to = new URL(href, location.href);
    to.searchParams.set("from", iso(chart.times[idx]));
    to.searchParams.set("to", iso(chart.ends?.[idx] ?? chart.times[idx + 1] ?? Date.now() / 1000));
    location.assign(to);
  }

  select(plot) {
    if (plot.select.width < 4) return;
    const at = (x) => Math.round(plot.posToVal(x, "x"));
    const detail = { from: at(plot.select.left), to: at(plot.select.left + plot.select.width) };
    this.dispatchEvent(new CustomEvent("range", { bubbles: true, detail }));
  }
}
customElements.define("ops-chart", OpsChart);
