// <ops-chart>: lines over time, drawn by uPlot from the JSON in its child script:
// {"label", "unit", "times": [unix seconds], "series": [{"label", "values": [number|null], "tone"?: "danger"}]}
// Dragging over it fires "range" with {from, to} in unix seconds. It redraws on resize, theme change and morph.
class OpsChart extends HTMLElement {
  connectedCallback() {
    this.resize = new ResizeObserver(() => this.plot?.setSize(this.box()));
    this.renew = () => this.draw();
    document.addEventListener("holdfast:theme", this.renew);
    this.draw();
    this.resize.observe(this);
  }

  disconnectedCallback() {
    this.resize.disconnect();
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
    const tones = [colour("--accent"), colour("--warning"), colour("--sample"), colour("--success")];
    const axis = { stroke: colour("--faint"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: `11px ${style.fontFamily}` };
    const clock = (_, ticks) => ticks.map((tick) => {
      const iso = new Date(tick * 1000).toISOString();
      return tick % 86400 ? iso.slice(11, 16) : iso.slice(5, 10);
    });
    const write = (_, value) => (value == null ? "unknown" : `${value.toLocaleString()} ${chart.unit || ""}`);
    this.plot?.destroy();
    this.plot = new window.uPlot({
      ...this.box(),
      cursor: { drag: { x: true, y: false, setScale: false } },
      tzDate: (seconds) => window.uPlot.tzDate(new Date(seconds * 1000), "UTC"),
      axes: [{ ...axis, values: clock }, { ...axis, size: 72, values: (_, ticks) => ticks.map((tick) => `${tick.toLocaleString()} ${chart.unit || ""}`) }],
      series: [{}, ...chart.series.map((one, index) => ({
        label: one.label, width: 1.5, spanGaps: false, value: write, points: { show: false },
        stroke: one.tone === "danger" ? colour("--danger") : tones[index % tones.length],
        dash: index % 2 ? [5, 3] : undefined,
      }))],
      hooks: { setSelect: [(plot) => this.select(plot)] },
    }, [chart.times, ...chart.series.map((one) => one.values)], this);
  }

  resolve(value) {
    const probe = document.createElement("span");
    probe.style.color = value;
    this.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  }

  select(plot) {
    if (plot.select.width < 4) return;
    const at = (x) => Math.round(plot.posToVal(x, "x"));
    const detail = { from: at(plot.select.left), to: at(plot.select.left + plot.select.width) };
    this.dispatchEvent(new CustomEvent("range", { bubbles: true, detail }));
  }
}
customElements.define("ops-chart", OpsChart);
