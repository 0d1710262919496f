/* The page of one base station: what is known of it, its ratings, where it stands among the others. */
"use strict";
(() => {
  const { el, t, hash, load, loadIf } = haidang;
  const section = (title, ...content) => el("section", {}, el("h2", {}, title), ...content);

  function identity(registry, index) {
    const pairs = [
      [t("operator.label"), registry.at("operator", index)],
      [t("technology.label"), haidang.technology(registry.at("technology", index))],
      [t("station.place"), `${haidang.num(registry.at("latitude", index), 5)}; ${haidang.num(registry.at("longitude", index), 5)}`],
      [t("station.height"), registry.at("height", index) === null ? null : `${haidang.num(registry.at("height", index))}\u00a0m`],
      [t("station.sectors"), (registry.at("azimuths", index) || []).map((azimuth) => `${haidang.num(azimuth)}°`).join(", ") || null],
    ];
    const at = `14/${registry.at("latitude", index)}/${registry.at("longitude", index)}`;
    return el("div", { class: "facts" }, el("dl", {}, pairs.filter(([, value]) => value !== null).map(([label, value]) => el("div", {}, el("dt", {}, label), el("dd", {}, value)))),
      el("a", { href: `index.html#${new URLSearchParams({ over: "stations", at })}` }, t("area.on_map")));
  }

  function ratingsTable(rows) {
    const site = haidang.site();
    const best = site.kpis.flatMap((kpi) => {
      const found = rows.filter((row) => row.kpi === kpi.id && row.period === site.words.period[0] && row.statistic === haidang.statisticOf(row.kpi, row.statistic));
      const classes = [...new Set(found.map((row) => row.technology))];
      const told = classes.length === 2 ? classes.filter((word) => word !== site.all) : classes; // one class is its own total
      return told.map((technology) => ({ ...found.find((row) => row.technology === technology), kpi }));
    });
    const columns = [
      { key: "kpi", label: t("kpi.label"), isHeading: true, value: (row) => haidang.title(row.kpi), cell: (row) => haidang.title(row.kpi) },
      { key: "technology", label: t("technology.label"), value: (row) => row.technology, cell: (row) => haidang.technology(row.technology) },
      { key: "figure", label: t("station.value"), number: true, cell: (row) => (row.value === null || row.status === "insufficient"
        ? (row.needed_count ? t("thin.needed", { count: haidang.num(row.needed_count) }) : t("thin.none"))
        : el("span", {}, row.grade ? haidang.badge(row.grade, site.grades.indexOf(row.grade)) : null, " ", haidang.figure(row.kpi, row.value))) },
      { key: "interval", label: t("facts.interval"), number: true, cell: (row) => haidang.range(row.kpi, row.low, row.high) },
      { key: "samples", label: t("rank.samples"), number: true, value: (row) => row.samples_count, cell: (row) => haidang.num(row.samples_count) },
      { key: "status", label: t("facts.status"), cell: (row) => (row.status ? t(`status.${row.status}`) : "–") },
    ];
    return haidang.sortable(t("station.caption"), columns, best);
  }

  /* The scores of each measure behind the score, the weakest first. */
  function why(rows) {
    const site = haidang.site();
    const parts = rows.filter((row) => row.kpi !== "score" && row.statistic === "score" && row.value !== null && row.period === site.words.period[0]);
    const classes = [...new Set(parts.map((row) => row.technology))];
    const own = classes.find((word) => word !== site.all) ?? classes[0];
    const kept = parts.filter((row) => row.technology === own).sort((a, b) => a.value - b.value);
    if (!kept.length) return null;
    return section(t("area.why"), el("p", { class: "hint" }, t("area.why.hint")), haidang.sideBySide(t("area.why"), haidang.kpiOf("score"), kept.map((row) => ({ ...row, name: haidang.title(haidang.kpiOf(row.kpi)) }))));
  }

  /* The area that holds the station, and what its operators reach there. */
  async function surroundings(registry, index) {
    const at = registry.at("area", index);
    const { default_layer: layer } = haidang.site();
    if (at === null || at < 0) return null;
    const area = (await load(`layer-${layer}`)).areas[at];
    const data = await loadIf(`area-${layer}-${at}`);
    return { name: haidang.name(area.name), ratings: data?.area_ratings ? haidang.table(data.area_ratings).rows() : [] };
  }

  /* This station among all that are rated on the same class of technology. */
  async function among(rows, kpiId) {
    const site = haidang.site();
    const kpi = haidang.kpiOf(kpiId);
    const own = rows.filter((row) => row.kpi === kpiId && row.period === site.words.period[0] && row.value !== null && row.status !== "insufficient" && row.statistic === haidang.statisticOf(kpiId, row.statistic));
    const mine = own.find((row) => row.technology !== site.all) ?? own[0];
    const packed = mine && await loadIf(`bts-0-${kpiId}`);
    if (!packed) return null;
    const every = haidang.table(packed).rows((row) => row.technology === mine.technology && row.value !== null && row.status !== "insufficient").map((row) => row.value);
    return every.length > 5 ? section(`${haidang.title(kpi)}${kpi.unit ? ` (${kpi.unit})` : ""}: ${t("plot.among")}`, haidang.standing(t("plot.among"), kpi, every, mine.value)) : null;
  }

  async function show() {
    const site = haidang.site();
    const content = document.getElementById("content");
    const heading = document.getElementById("heading");
    const wanted = hash.read().station;
    const registry = haidang.has("stations") ? haidang.table(await load("stations")) : null;
    let index = -1;
    for (let i = 0; registry && i < registry.count; i += 1) if (registry.at("id", i) === wanted) index = i;
    if (index < 0) {
      heading.textContent = t("station.unknown");
      content.replaceChildren(el("p", {}, el("a", { href: "index.html" }, t("area.back"))));
      return;
    }
    heading.textContent = registry.at("name", index) || registry.at("id", index);
    document.title = `${heading.textContent} – ${t("brand")}`;
    const shard = (await loadIf(`station-${Math.floor(index / site.shard)}`)) || {};
    const own = (table) => (shard[table] ? haidang.table(shard[table]).rows((row) => row.index === index) : []);
    const rows = own("bts_ratings");
    const around = await surroundings(registry, index);
    content.replaceChildren(...[
      section(t("station.identity"), identity(registry, index)),
      section(t("area.figures"), rows.length ? ratingsTable(rows) : (site.computed.includes("bts_ratings") ? el("p", { class: "empty" }, t("thin.none")) : haidang.notComputed("haidang-analysis rate"))),
      why(rows), await among(rows, "score"),
      haidang.stationPlots({ title: heading.textContent, ratings: rows, series: own("bts_series"), histograms: own("bts_histograms"), around }),
    ].filter(Boolean));
    document.documentElement.dataset.ready = "1";
  }

  window.addEventListener("DOMContentLoaded", () => { show(); haidang.events.addEventListener("language", show); });
  window.addEventListener("hashchange", show);
})();
