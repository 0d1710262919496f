/* The plots of a base station: its weeks, the parts of its day, its distribution, the operators of its area beside it. */
"use strict";
(() => {
  const { el, t } = haidang;
  let chosen = "downlink";
  const section = (title, ...content) => el("section", {}, el("h2", {}, title), ...content);
  const isRated = (row) => row.value !== null && row.status !== "insufficient";

  /* One line a class of technology. */
  function along(rows, axis, placeOf) {
    const kept = rows.filter((row) => row.axis === axis && row.kpi === chosen && row.value !== null);
    return [...new Set(kept.map((row) => row.technology))].sort().reverse().map((technology) => ({
      name: haidang.technology(technology),
      points: kept.filter((row) => row.technology === technology).map((row) => ({ ...row, x: placeOf(row.at) })).sort((a, b) => a.x - b.x),
    }));
  }

  function weeks(rows, kpi) {
    const held = rows.filter((row) => row.axis === "week" && row.kpi === kpi.id).map((row) => row.at).sort();
    if (!held.length) return null;
    const first = Date.parse(held[0]);
    const place = (at) => Math.round((Date.parse(at) - first) / 604_800_000);
    const count = place(held.at(-1)) + 1;
    const step = Math.max(1, Math.ceil(count / 8));
    const labels = [...new Set(held)].map((at) => [place(at), haidang.day(at).replace(/\D\d{4}$/, "")]).filter(([x]) => x % step === 0);
    return section(t("plot.weeks"), el("p", { class: "hint" }, t("plot.weeks.hint")), haidang.lines(t("plot.weeks"), kpi, along(rows, "week", place), count, labels));
  }

  function parts(rows, kpi) {
    const groups = along(rows, "part_of_day", (at) => Number(at) / 3);
    if (!groups.length) return null;
    const labels = [...Array(8).keys()].map((part) => [part, `${3 * part}\u2013${3 * part + 3}`]);
    return section(t("plot.parts"), haidang.lines(t("plot.parts"), kpi, groups, 8, labels));
  }

  function spread(rows, kpi) {
    const kept = rows.filter((row) => row.kpi === kpi.id);
    const groups = [...new Set(kept.map((row) => row.technology))].sort().reverse().map((technology) => ({
      name: haidang.technology(technology),
      bins: kept.filter((row) => row.technology === technology).map((row) => ({ low: row.bin_low, high: row.bin_high, share: row.share })),
    }));
    return groups.length ? section(t("plot.distribution"), haidang.distribution(t("plot.distribution"), kpi, groups)) : null;
  }

  /* This station above the operators of its area, on each class of technology that it serves. */
  function beside(view, kpi) {
    const site = haidang.site();
    const of = (row) => row.kpi === kpi.id && row.period === site.words.period[0] && isRated(row) && row.statistic === haidang.statisticOf(row.kpi, row.statistic) && row.technology !== site.all;
    const own = view.ratings.filter(of);
    return own.map((mine) => {
      const others = (view.around?.ratings ?? []).filter((row) => of(row) && row.technology === mine.technology && row.operator !== site.all);
      if (!others.length) return null;
      const rows = [{ ...mine, name: t("plot.this_station") }, ...others.map((row) => ({ ...row, name: row.operator }))];
      const title = t("plot.beside", { area: view.around.name, technology: haidang.technology(mine.technology) });
      return section(title, haidang.sideBySide(title, kpi, rows));
    });
  }

  /* `view`: {title, ratings, series, histograms, around: {name, ratings} or null}. */
  function stationPlots(view) {
    const node = el("div", {});
    const held = (rows) => rows.map((row) => row.kpi);
    const offered = haidang.site().kpis.filter((kpi) => kpi.id !== "score" && [...held(view.series), ...held(view.histograms), ...held(view.ratings.filter(isRated))].includes(kpi.id));
    if (!offered.length) return null;
    if (!offered.some((kpi) => kpi.id === chosen)) chosen = offered[0].id;

    function draw() {
      const kpi = haidang.kpiOf(chosen);
      const select = el("select", { id: "plot-kpi", onchange: () => { chosen = select.value; draw(); document.getElementById("plot-kpi").focus(); } },
        offered.map((each) => el("option", { value: each.id, selected: each.id === chosen }, haidang.title(each))));
      const drawn = [weeks(view.series, kpi), parts(view.series, kpi), spread(view.histograms, kpi), ...beside(view, kpi)].filter(Boolean);
      node.replaceChildren(
        el("div", { class: "fields" }, el("div", { class: "field" }, el("label", { for: "plot-kpi" }, t("kpi.label")), select)),
        ...(drawn.length ? drawn : [el("p", { class: "empty" }, t("plot.none"))]),
      );
    }
    draw();
    return node;
  }

  haidang.stationPlots = stationPlots;
})();
