/* What changed since the month before, as the table `changes` has it: difference, interval, verdict. */
"use strict";
(() => {
  const { el, t } = haidang;

  /* A ratio as percent, a share as percentage points, a level in its unit; the sign always. */
  function amount(kpi, row, value) {
    const shown = row.is_ratio ? 100 * (value - 1) : value;
    const sign = shown > 0 ? "+" : shown < 0 ? "\u2212" : "";
    const digits = row.is_ratio ? (Math.abs(shown) < 10 ? 1 : 0) : Math.max(1, kpi.digits);
    return sign + haidang.num(Math.abs(shown), digits);
  }
  const unit = (kpi, row) => (row.is_ratio || kpi.unit === "%" ? (row.is_ratio ? "%" : `\u00a0${t("unit.points")}`) : `\u00a0${kpi.unit}`);

  function changeCell(row) {
    const kpi = haidang.kpiOf(row.kpi);
    const isBetter = row.verdict === "better";
    return el("span", { class: "measure" },
      el("span", { class: `now ${isBetter ? "better" : "worse"}` }, amount(kpi, row, row.change), unit(kpi, row)),
      el("span", { class: "interval" }, `${t(`change.${isBetter ? "better" : "worse"}`)} · ${amount(kpi, row, row.low)} … ${amount(kpi, row, row.high)}${unit(kpi, row)}`));
  }

  /* `view`: {state, kpi, areas, changes, go}. Beside the score's own change those of the measures are told. */
  function changes(view) {
    const { state, kpi, areas, go } = view;
    const found = view.changes;
    const site = haidang.site();
    if (!found) return site.words.period.length > 2 && !site.computed.includes("changes") ? haidang.notComputed("haidang-analysis rate") : null;
    if (![site.whole, found.period].includes(state.period)) return null;
    const of = (row) => row.operator === state.operator && row.technology === state.technology && (kpi.id === "score" || row.kpi === kpi.id);
    const rows = haidang.table(found.told).rows(of);
    const same = haidang.table(found.same).rows(of).reduce((sum, row) => sum + row.count, 0);
    if (!rows.length && !same) return null;
    const columns = [
      { key: "area", label: t("rank.area"), isHeading: true, value: (row) => haidang.name(areas[row.index].name), cell: (row) => el("button", { type: "button", class: "link", onclick: () => go(row.index) }, haidang.name(areas[row.index].name)) },
      kpi.id === "score" ? { key: "kpi", label: t("kpi.label"), value: (row) => haidang.title(haidang.kpiOf(row.kpi)), cell: (row) => haidang.title(haidang.kpiOf(row.kpi)) } : null,
      { key: "change", label: t("change.change"), number: true, value: (row) => -row.q_value, cell: changeCell },
      kpi.id === "score" ? null : { key: "now", label: t("change.now"), number: true, value: (row) => row.second, cell: (row) => haidang.figure(haidang.kpiOf(row.kpi), row.second) },
    ].filter(Boolean);
    const title = t("change.title", { period: haidang.period(found.period), before: haidang.period(found.before) });
    return el("details", { class: "more-panel", open: rows.length > 0 }, el("summary", {}, title),
      rows.length ? haidang.sortable(t("change.caption"), columns, rows, { sortBy: "change", descending: true, limit: 8 }) : null,
      el("p", { class: "hint" }, t("change.same", { count: haidang.num(same) })));
  }

  haidang.changes = changes;
})();
