/* Plots drawn from our own rows as SVG: lines with their interval, distributions, operators side by side. */
"use strict";
(() => {
  const { el, t } = haidang;
  const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"]; // Okabe and Ito: safe for every eye
  const DASHES = [null, "6 3", "2 2", "8 3 2 3", "1 3", "10 4"];
  const BOX = { width: 640, height: 260, left: 52, right: 12, top: 12, bottom: 34 };

  function ticks(low, high, wanted = 5) {
    const span = high - low || 1;
    const rough = span / wanted;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 2.5, 5, 10].map((each) => each * power).find((each) => each >= rough);
    const found = [];
    for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-6; value += step) found.push(Number(value.toPrecision(12)));
    return found;
  }

  function axes(svg, y, labels, kpi) {
    const right = BOX.width - BOX.right;
    const [lowest, highest] = y.domain;
    ticks(lowest, highest).forEach((value) => {
      svg.append(
        el("line", { x1: BOX.left, x2: right, y1: y(value), y2: y(value), class: "grid" }),
        el("text", { x: BOX.left - 6, y: y(value) + 4, class: "tick end" }, haidang.num(value, Math.abs(value) < 10 && value % 1 ? 1 : 0)),
      );
    });
    labels.forEach(([x, text]) => svg.append(el("text", { x, y: BOX.height - 12, class: "tick middle" }, text)));
    if (kpi.unit) svg.append(el("text", { x: 4, y: 12, class: "tick" }, kpi.unit));
  }

  const scale = (domain, from, to) => Object.assign((value) => from + ((value - domain[0]) / (domain[1] - domain[0] || 1)) * (to - from), { domain });

  function frame(label) {
    const svg = el("svg", { viewBox: `0 0 ${BOX.width} ${BOX.height}`, class: "plot", role: "img", "aria-label": label });
    return svg;
  }

  const key = (names) => el("ul", { class: "key" }, names.map((name, index) => el("li", {},
    el("span", { class: "line", style: { borderTopColor: COLOURS[index % 6], borderTopStyle: index ? (index % 2 ? "dashed" : "dotted") : "solid" } }), name)));

  /* `lines`: [{name, points: [{x, value, low, high}]}] over `count` places; `labels`: [[place, text]]. */
  function lines(label, kpi, groups, count, labels) {
    const points = groups.flatMap((group) => group.points);
    const low = Math.min(...points.map((point) => point.low ?? point.value));
    const high = Math.max(...points.map((point) => point.high ?? point.value));
    const floor = kpi.unit.startsWith("dB") ? low - 3 : 0;
    const x = scale([0, Math.max(1, count - 1)], BOX.left + 8, BOX.width - BOX.right - 8);
    const y = scale([floor, high * (high > 0 ? 1.06 : 1) || 1], BOX.height - BOX.bottom, BOX.top);
    const svg = frame(label);
    axes(svg, y, labels.map(([place, text]) => [x(place), text]), kpi);
    groups.forEach((group, index) => {
      const colour = COLOURS[index % 6];
      const banded = group.points.filter((point) => point.low !== null && point.high !== null && point.low !== undefined);
      if (banded.length > 1) {
        const outline = [...banded.map((point) => `${x(point.x)},${y(point.high)}`), ...banded.reverse().map((point) => `${x(point.x)},${y(point.low)}`)];
        svg.append(el("path", { d: `M${outline.join("L")}Z`, fill: colour, "fill-opacity": 0.14 }));
      }
      svg.append(el("polyline", {
        points: group.points.map((point) => `${x(point.x)},${y(point.value)}`).join(" "), fill: "none", stroke: colour, "stroke-width": 2.2, "stroke-dasharray": DASHES[index % 6],
      }));
      if (group.points.length < 3) group.points.forEach((point) => svg.append(el("circle", { cx: x(point.x), cy: y(point.value), r: 3.5, fill: colour })));
    });
    return el("figure", {}, svg, key(groups.map((group) => group.name)));
  }

  /* `groups`: [{name, bins: [{low, high, share}]}]: how often each speed, delay or level is met. */
  function distribution(label, kpi, groups) {
    const bins = groups.flatMap((group) => group.bins);
    const isWide = kpi.unit === "Mbit/s" || kpi.unit === "ms";
    const place = (value) => (isWide ? Math.log10(Math.max(value, 0.1)) : value);
    const first = Math.min(...bins.map((bin) => place(bin.low)));
    const last = Math.max(...bins.map((bin) => place(bin.high)));
    const x = scale([first, last], BOX.left, BOX.width - BOX.right);
    const y = scale([0, 100 * Math.max(...bins.map((bin) => bin.share)) * 1.08], BOX.height - BOX.bottom, BOX.top);
    const svg = frame(label);
    const marks = isWide ? [0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000].filter((value) => place(value) >= first && place(value) <= last) : ticks(first, last, 6);
    axes(svg, y, marks.map((value) => [x(place(value)), haidang.num(value, value % 1 ? 1 : 0)]), { unit: "%" });
    groups.forEach((group, index) => {
      const steps = [];
      let last = null; // where bins are absent nothing was met: the line goes down to the axis, not across
      const at = (value, share) => steps.push(`${x(place(value))},${y(100 * share)}`);
      group.bins.sort((a, b) => a.low - b.low).forEach((bin) => {
        if (last === null) at(bin.low, 0);
        else if (bin.low > last * 1.001 && bin.low - last > 1e-9) { at(last, 0); at(bin.low, 0); }
        at(bin.low, bin.share);
        at(bin.high, bin.share);
        last = bin.high;
      });
      if (last !== null) at(last, 0);
      svg.append(el("polyline", { points: steps.join(" "), fill: "none", stroke: COLOURS[index % 6], "stroke-width": 2.2, "stroke-dasharray": DASHES[index % 6] }));
    });
    return el("figure", {}, svg, el("p", { class: "hint" }, `${haidang.title(kpi)}${kpi.unit ? ` (${kpi.unit})` : ""}`), key(groups.map((group) => group.name)));
  }

  /* `rows`: [{name, value, low, high}]: a point and its interval each, so that overlap is seen. */
  function sideBySide(label, kpi, rows) {
    const step = rows.length > 6 ? 26 : 34;
    const height = rows.length * step + 30;
    const low = Math.min(...rows.map((row) => row.low ?? row.value));
    const high = Math.max(...rows.map((row) => row.high ?? row.value));
    const margin = (high - low) * 0.1 || 1;
    const x = scale(kpi.id === "score" ? [0, 100] : [kpi.unit.startsWith("dB") ? low - margin : Math.min(0, low), high + margin], 190, BOX.width - 20);
    const svg = el("svg", { viewBox: `0 0 ${BOX.width} ${height}`, class: "plot", role: "img", "aria-label": label });
    ticks(x.domain[0], x.domain[1], 6).forEach((value) => svg.append(
      el("line", { x1: x(value), x2: x(value), y1: 4, y2: height - 24, class: "grid" }),
      el("text", { x: x(value), y: height - 8, class: "tick middle" }, haidang.num(value, value % 1 ? 1 : 0)),
    ));
    rows.forEach((row, index) => {
      const y = index * step + 20;
      svg.append(el("text", { x: 180, y: y + 4, class: "tick end strong" }, row.name));
      if (row.low !== null && row.low !== undefined) svg.append(el("line", { x1: x(row.low), x2: x(row.high), y1: y, y2: y, stroke: COLOURS[index % 6], "stroke-width": 5, "stroke-opacity": 0.45, "stroke-linecap": "round" }));
      svg.append(el("circle", { cx: x(row.value), cy: y, r: 6, fill: COLOURS[index % 6] }));
    });
    return el("figure", {}, svg, el("p", { class: "hint" }, `${haidang.title(kpi)}${kpi.unit ? ` (${kpi.unit})` : ""} · ${t("facts.interval")}`));
  }

  /* Where one stands among all: how many have each value, and a line at this one. */
  function standing(label, kpi, values, own) {
    const [first, last] = kpi.id === "score" ? [0, 100] : [Math.min(...values), Math.max(...values)];
    const count = 25;
    const bins = new Array(count).fill(0);
    values.forEach((value) => { bins[Math.max(0, Math.min(count - 1, Math.floor(((value - first) / (last - first || 1)) * count)))] += 1; });
    const x = scale([first, last], BOX.left, BOX.width - BOX.right);
    const y = scale([0, Math.max(...bins) * 1.1], BOX.height - BOX.bottom, BOX.top);
    const svg = frame(label);
    axes(svg, y, ticks(first, last, 6).map((value) => [x(value), haidang.num(value, value % 1 ? 1 : 0)]), { unit: "" });
    bins.forEach((held, index) => svg.append(el("rect", {
      x: x(first + ((last - first) * index) / count) + 1, width: (BOX.width - BOX.left - BOX.right) / count - 2, y: y(held), height: y(0) - y(held), fill: "#8fa3b0",
    })));
    svg.append(el("line", { x1: x(own), x2: x(own), y1: BOX.top, y2: y(0), stroke: COLOURS[1], "stroke-width": 3 }));
    const better = values.filter((value) => (kpi.better === "higher" ? value < own : value > own)).length;
    return el("figure", {}, svg, el("p", { class: "hint" }, t("plot.standing", { share: `${haidang.num((100 * better) / values.length)}%`, count: haidang.num(values.length) })));
  }

  Object.assign(haidang, { standing, lines, distribution, sideBySide });
})();
