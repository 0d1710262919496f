/* The legend: five classes in words and numbers, what opacity and hatching mean. */
"use strict";
(() => {
  const { el, t } = haidang;

  function bounds(kpi, tech) {
    const breaks = kpi.breaks[tech] || kpi.breaks["*"];
    const short = (value) => haidang.num(value, value % 1 ? 1 : 0);
    const rising = breaks[0] <= breaks[3];
    return [0, 1, 2, 3, 4].map((index) => {
      if (index === 0) return `${rising ? "<" : ">"}\u00a0${short(breaks[0])}`;
      if (index === 4) return `${rising ? "≥" : "≤"}\u00a0${short(breaks[3])}`;
      const joint = breaks[0] < 0 ? "\u2009…\u2009" : "–"; // minus signs and dashes are too alike
      return `${short(breaks[index - 1])}${joint}${short(breaks[index])}`;
    });
  }

  function legend(node, kpi, tech, theme) {
    const site = haidang.site();
    const labels = bounds(kpi, tech);
    const swatch = (colour, text, kind = "") => el("li", {}, el("span", { class: `swatch ${kind}`, style: { backgroundColor: colour } }), text);
    const rows = labels.map((text, index) => swatch(
      site.colours[index],
      kpi.id === "score" ? `${site.grades[index]} · ${text}` : text,
    )).reverse();
    rows.push(swatch("transparent", t({ hexagons: "legend.thin_cells", coverage: "legend.masked" }[theme] || "legend.thin"), "thin"));
    node.replaceChildren(
      el("h2", {}, `${haidang.title(kpi)}${kpi.unit ? ` (${kpi.unit})` : ""}`),
      el("ul", {}, rows),
      ...(theme === "hexagons" ? [el("p", {}, t("legend.opacity"))] : theme === "areas" ? [el("p", {}, t("legend.provisional"))] : []),
    );
  }

  function densityLegend(node) {
    node.replaceChildren(
      el("h2", {}, t("theme.density")),
      el("div", { class: "ramp density", "aria-hidden": "true" }),
      el("p", { class: "ends" }, el("span", {}, t("legend.few")), el("span", {}, t("legend.many"))),
      el("p", {}, t("legend.density")),
    );
  }

  Object.assign(haidang, { legend, densityLegend, legendBounds: bounds });
})();
