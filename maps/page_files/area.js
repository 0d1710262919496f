/* The page of one area: its score and every KPI by operator, the trend, the hours of the day, the distribution. */
"use strict";
(() => {
  const { el, t, hash, load } = haidang;
  let chosen = { kpi: "downlink", technology: null };

  const section = (title, ...content) => el("section", {}, el("h2", {}, title), ...content);

  function figuresTable(ratings, technology, period) {
    const site = haidang.site();
    const rows = ratings.filter((row) => row.technology === technology && row.period === period && row.statistic === haidang.statisticOf(row.kpi, row.statistic));
    const operators = site.words.operator.filter((word) => rows.some((row) => row.operator === word));
    const of = (operator, id) => rows.find((row) => row.operator === operator && row.kpi === id);
    const kpis = site.kpis.filter((kpi) => rows.some((row) => row.kpi === kpi.id));
    const cell = (kpi, row) => {
      if (!row) return "–";
      if (row.value === null || row.status === "insufficient") return el("span", { class: "hint" }, row.needed_count ? t("thin.needed", { count: haidang.num(row.needed_count) }) : t("thin.none"));
      return el("span", { class: "measure" }, el("span", { class: "now" }, row.grade ? haidang.badge(row.grade, site.grades.indexOf(row.grade)) : null, " ", haidang.figure(kpi, row.value)),
        el("span", { class: "interval" }, haidang.range(kpi, row.low, row.high)), el("span", { class: "interval" }, t("area.tests", { count: haidang.num(row.samples_count) })));
    };
    const columns = [{ key: "kpi", label: t("kpi.label"), isHeading: true, cell: (kpi) => haidang.title(kpi) },
      ...operators.map((operator) => ({ key: operator, label: haidang.operator(operator), number: true, cell: (kpi) => cell(kpi, of(operator, kpi.id)) }))];
    return haidang.sortable(t("area.caption", { technology: haidang.technology(technology), period: haidang.period(period) }), columns, kpis);
  }

  /* Why a score is what it is: the score of each KPI behind it, the weakest first. */
  function why(ratings, technology, period) {
    const site = haidang.site();
    const parts = ratings.filter((row) => row.kpi !== "score" && row.statistic === "score" && row.value !== null && row.technology === technology && row.period === period);
    const operators = site.words.operator.filter((word) => parts.some((row) => row.operator === word));
    if (!operators.length) return null;
    const scale = haidang.kpiOf("score");
    const kpis = site.kpis.filter((kpi) => parts.some((row) => row.kpi === kpi.id));
    const cell = (row) => {
      if (!row) return "–";
      const group = haidang.classOf(scale, technology, row.value);
      return el("span", { class: "measure" }, el("span", { class: "now" }, haidang.num(row.value)), el("span", { class: "bar", "aria-hidden": "true" }, el("span", { class: `fill class-${group}`, style: { width: `${Math.max(0, Math.min(100, row.value))}%` } })));
    };
    const columns = [{ key: "kpi", label: t("kpi.label"), isHeading: true, cell: (kpi) => haidang.title(kpi) },
      ...operators.map((operator) => ({ key: operator, label: haidang.operator(operator), number: true, value: (kpi) => parts.find((row) => row.kpi === kpi.id && row.operator === operator)?.value ?? null, cell: (kpi) => cell(parts.find((row) => row.kpi === kpi.id && row.operator === operator)) }))];
    return section(t("area.why"), el("p", { class: "hint" }, t("area.why.hint")), haidang.sortable(t("area.why.caption"), columns, kpis, { sortBy: operators[0], descending: false }));
  }

  function groupsOf(rows, technology, kpi, make) {
    const site = haidang.site();
    const kept = rows.filter((row) => row.kpi === kpi && row.technology === technology);
    const named = site.words.operator.filter((word) => word !== site.all && kept.some((row) => row.operator === word));
    const words = named.length ? named : [site.all];
    return words.map((word) => make(haidang.operator(word), kept.filter((row) => row.operator === word))).filter((group) => (group.points || group.bins).length);
  }

  function plots(data, ratings) {
    const site = haidang.site();
    const kpi = haidang.kpiOf(chosen.kpi);
    const parts = [];
    const series = data.series ? haidang.table(data.series).rows() : [];
    const months = site.words.period.filter((word) => word !== site.whole);
    const monthly = groupsOf(ratings.filter((row) => months.includes(row.period) && row.value !== null && row.statistic === haidang.statisticOf(row.kpi, row.statistic)), chosen.technology, kpi.id,
      (name, rows) => ({ name, points: rows.map((row) => ({ ...row, x: months.indexOf(row.period) })).sort((a, b) => a.x - b.x) }));
    if (monthly.length) parts.push(section(t("plot.months"), haidang.lines(t("plot.months"), kpi, monthly, months.length, months.map((month, i) => [i, `${Number(month.slice(5))}/${month.slice(2, 4)}`]))));
    const days = [...new Set(series.filter((row) => row.axis === "day").map((row) => row.at))].sort();
    const daily = groupsOf(series.filter((row) => row.axis === "day" && row.value !== null), chosen.technology, kpi.id,
      (name, rows) => ({ name, points: rows.map((row) => ({ ...row, x: days.indexOf(row.at) })).sort((a, b) => a.x - b.x) }));
    const every = Math.max(1, Math.ceil(days.length / 7));
    if (daily.length) parts.push(section(t("plot.days"), haidang.lines(t("plot.days"), kpi, daily, days.length, days.map((day, i) => [i, haidang.day(day).replace(/\D\d{4}$/, "")]).filter((_, i) => i % every === 0))));
    const hourly = groupsOf(series.filter((row) => row.axis === "hour_of_day" && row.value !== null), chosen.technology, kpi.id,
      (name, rows) => ({ name, points: rows.map((row) => ({ ...row, x: Number(row.at) })).sort((a, b) => a.x - b.x) }));
    if (hourly.length) parts.push(section(t("plot.hours"), haidang.lines(t("plot.hours"), kpi, hourly, 24, [0, 4, 8, 12, 16, 20, 23].map((hour) => [hour, t("plot.hour", { hour: String(hour) })]))));
    const bins = data.histograms ? haidang.table(data.histograms).rows((row) => row.period === site.whole || !row.period) : [];
    const spread = groupsOf(bins, chosen.technology, kpi.id, (name, rows) => ({ name, bins: rows.map((row) => ({ low: row.bin_low, high: row.bin_high, share: row.share })) }));
    if (spread.length) parts.push(section(t("plot.distribution"), haidang.distribution(t("plot.distribution"), kpi, spread)));
    const whole = site.words.period[0];
    const beside = ratings.filter((row) => row.kpi === kpi.id && row.technology === chosen.technology && row.period === whole && row.operator !== site.all && row.value !== null && row.status !== "insufficient" && row.statistic === haidang.statisticOf(row.kpi, row.statistic))
      .map((row) => ({ ...row, name: row.operator }));
    if (beside.length) parts.unshift(section(t("plot.operators"), haidang.sideBySide(t("plot.operators"), kpi, beside)));
    if (!parts.length) parts.push(el("p", { class: "empty" }, t("plot.none")));
    return parts;
  }

  function pickers(data, ratings, redraw) {
    const site = haidang.site();
    const offered = site.kpis.filter((kpi) => ratings.some((row) => row.kpi === kpi.id && row.value !== null));
    const technologies = site.words.technology.filter((word) => ratings.some((row) => row.technology === word));
    if (!technologies.includes(chosen.technology)) chosen.technology = technologies.find((word) => word !== site.all) || technologies[0];
    if (!offered.some((kpi) => kpi.id === chosen.kpi) && offered.length) chosen.kpi = offered[0].id;
    const pick = (id, label, options, value, use) => {
      const node = el("select", { id, onchange: () => { use(node.value); redraw(); document.getElementById(id)?.focus(); } }, options.map(([word, text]) => el("option", { value: word, selected: word === value }, text)));
      return el("div", { class: "field" }, el("label", { for: id }, label), node);
    };
    return el("div", { class: "fields" },
      pick("technology", t("technology.label"), technologies.map((word) => [word, haidang.technology(word)]), chosen.technology, (word) => { chosen.technology = word; }),
      pick("kpi", t("kpi.label"), offered.map((kpi) => [kpi.id, haidang.title(kpi)]), chosen.kpi, (word) => { chosen.kpi = word; }));
  }

  async function show() {
    const site = haidang.site();
    const asked = hash.read();
    const content = document.getElementById("content");
    const heading = document.getElementById("heading");
    const layerIndex = site.layers.findIndex((layer) => layer.key === asked.layer);
    const layer = layerIndex < 0 ? null : await load(`layer-${layerIndex}`);
    const index = layer ? layer.areas.findIndex((area) => area.key === asked.area) : -1;
    if (index < 0) {
      heading.textContent = t("area.unknown");
      content.replaceChildren(el("p", {}, el("a", { href: "index.html" }, t("area.back"))));
      return;
    }
    const area = layer.areas[index];
    heading.textContent = haidang.name(area.name);
    document.title = `${haidang.name(area.name)} – ${t("brand")}`;
    const name = `area-${layerIndex}-${index}`;
    const back = `index.html#${new URLSearchParams({ layer: layer.key, area: area.key })}`;
    const intro = el("p", { class: "hint" }, haidang.name(layer.title), layer.is_approximate ? ` · ${t("layer.approximate")}` : "", " · ", el("a", { href: back }, t("area.on_map")));
    if (!haidang.has(name)) { content.replaceChildren(intro, el("p", { class: "empty" }, t("thin.none"))); return; }
    const data = await load(name);
    const ratings = data.area_ratings ? haidang.table(data.area_ratings).rows() : [];
    const draw = () => content.replaceChildren(intro, pickers(data, ratings, draw),
      section(t("area.figures"), ratings.length ? figuresTable(ratings, chosen.technology, site.words.period[0]) : haidang.notComputed("haidang-analysis rate")), why(ratings, chosen.technology, site.words.period[0]) || "", ...plots(data, ratings));
    draw();
    document.documentElement.dataset.ready = "1";
  }

  window.addEventListener("DOMContentLoaded", () => { show(); haidang.events.addEventListener("language", show); });
  window.addEventListener("hashchange", show);
})();
