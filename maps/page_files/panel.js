/* Beside the map: what was found in one glance, the ranking with ties and intervals, what changed, what lacks evidence. */
"use strict";
(() => {
  const { el, t } = haidang;

  const isRated = (row) => row && row.value !== null && row.status !== "insufficient";

  function place(row, count) {
    if (row.rank_low === null || row.rank_low === undefined) return "–";
    return row.rank_low === row.rank_high ? haidang.num(row.rank_low) : `${haidang.num(row.rank_low)}–${haidang.num(row.rank_high)}`;
  }

  function bar(kpi, tech, row, top) {
    const share = Math.max(0, Math.min(1, row.value / top));
    const span = row.low !== null && row.high !== null && row.low !== undefined
      ? el("span", { class: "whisker", style: { left: `${100 * Math.max(0, row.low / top)}%`, right: `${100 * Math.max(0, 1 - row.high / top)}%` } }) : null;
    return el("span", { class: "bar", "aria-hidden": "true" },
      el("span", { class: `fill class-${haidang.rowClass(kpi, tech, row)}`, style: { width: `${100 * share}%` } }), span);
  }

  function valueCell(kpi, tech, row, top) {
    const grade = row.grade || haidang.site().grades[haidang.classOf(kpi, tech, row.value)];
    return el("span", { class: "measure" },
      el("span", { class: "now" }, kpi.id === "score" ? haidang.badge(grade, haidang.site().grades.indexOf(grade)) : null, " ", haidang.figure(kpi, row.value)),
      kpi.unit === "dBm" || kpi.unit === "dB" ? null : bar(kpi, tech, row, top),
      el("span", { class: "interval" }, haidang.range(kpi, row.low, row.high), row.status === "provisional" ? ` · ${t("status.provisional").toLowerCase()}` : ""));
  }

  function cards(rated, all, samples) {
    const facts = [
      [t("card.rated"), `${haidang.num(rated.length)}\u2009/\u2009${haidang.num(all)}`],
      [t("card.samples"), haidang.num(samples)],
    ];
    return el("dl", { class: "cards" }, facts.map(([label, value]) => el("div", {}, el("dt", {}, label), el("dd", {}, value))));
  }

  function ranking(view, rated) {
    const { kpi, state, areas, go } = view;
    const top = kpi.id === "score" ? 100 : Math.max(...rated.map((row) => row.high ?? row.value), 1e-9);
    const columns = [
      { key: "place", label: t("rank.place"), number: true, value: (row) => (row.rank_low === null || row.rank_low === undefined ? null : -(row.rank_low + row.rank_high)), cell: (row) => place(row) },
      { key: "area", label: t("rank.area"), isHeading: true, value: (row) => haidang.name(areas[row.index].name), cell: (row) => el("button", { type: "button", class: "link", onclick: () => go(row.index) }, haidang.name(areas[row.index].name)) },
      { key: "value", label: haidang.title(kpi), number: true, value: (row) => row.value, cell: (row) => valueCell(kpi, state.technology, row, top) },
      { key: "samples", label: t("rank.samples"), number: true, value: (row) => row.samples_count, cell: (row) => haidang.num(row.samples_count) },
    ];
    const isRanked = rated.some((row) => row.rank_low !== null && row.rank_low !== undefined);
    return haidang.sortable(t("rank.caption"), isRanked ? columns : columns.slice(1), rated, {
      sortBy: "value", descending: kpi.better === "higher", limit: matchMedia("(max-width: 60em)").matches ? 8 : 20,
      rowClass: (row) => (row.index === state.area ? "picked" : null),
    });
  }

  function lacking(view, rows) {
    const { areas, go } = view;
    const columns = [
      { key: "area", label: t("rank.area"), isHeading: true, value: (row) => haidang.name(areas[row.index].name), cell: (row) => el("button", { type: "button", class: "link", onclick: () => go(row.index) }, haidang.name(areas[row.index].name)) },
      { key: "samples", label: t("rank.samples"), number: true, value: (row) => row.samples_count, cell: (row) => haidang.num(row.samples_count) },
      { key: "needed", label: t("rank.needed"), number: true, value: (row) => row.needed_count, cell: (row) => haidang.num(row.needed_count) },
    ];
    return el("details", { class: "more-panel" }, el("summary", {}, t("lacking.title", { count: haidang.num(rows.length) })),
      haidang.sortable(t("lacking.caption"), columns, rows, { sortBy: "needed", descending: false, limit: 12 }));
  }

  /* `view`: {state, kpi, areas, rows (Map index → row), changes, go}. */
  function panel(node, view) {
    const rows = [...view.rows.values()];
    const rated = rows.filter(isRated);
    const thin = view.areas.map((_, index) => view.rows.get(index)
      || { index, samples_count: 0, needed_count: null, status: "insufficient", value: null }).filter((row) => !isRated(row));
    const samples = rows.reduce((sum, row) => sum + (row.samples_count || 0), 0);
    const parts = [cards(rated, view.areas.length, samples)];
    if (rated.length) parts.push(el("p", { class: "hint" }, t("rank.hint")), ranking(view, rated));
    else parts.push(el("p", { class: "empty" }, t("rank.none")));
    parts.push(haidang.changes(view));
    if (thin.length) parts.push(lacking(view, thin));
    node.replaceChildren(...parts.filter(Boolean));
  }

  Object.assign(haidang, { panel, isRated, rankText: place });
})();
