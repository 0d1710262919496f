/* How far the measuring has come, how the fixed sites do, and the verdicts against the national limits. */
"use strict";
(() => {
  const { el, t, loadIf } = haidang;
  const COMMANDS = { participation: "haidang-analysis participation", sites: "haidang-analysis sites", compliance: "haidang-analysis compliance", degraded: "haidang-analysis degraded", holes: "haidang-analysis coverage", plan: "haidang-analysis plan" };

  /* A table of findings shows the columns it has: their titles are texts, their values plain or formatted by name. */
  function findings(name, packed) {
    const table = haidang.table(packed);
    const hidden = new Set(["is_simulated", "h3_cell", "geometry", "longitude_deg", "latitude_deg"]);
    const names = Object.keys(packed.columns).filter((column) => !hidden.has(column) && packed.columns[column].some((value) => value !== null)).slice(0, 9);
    const columns = names.map((column, index) => {
      const isNumber = packed.columns[column].every((value) => value === null || typeof value === "number");
      return { key: column, label: haidang.columnTitle(column), number: isNumber, isHeading: index === 0, value: (row) => row[column], cell: (row) => haidang.cellText(column, row[column]) };
    });
    const rows = table.rows();
    const note = packed.total > rows.length ? el("p", { class: "hint" }, t("progress.first", { shown: haidang.num(rows.length), total: haidang.num(packed.total) })) : null;
    return [haidang.sortable(t(`progress.${name}.caption`), columns, rows, { limit: 15 }), note].filter(Boolean);
  }

  async function show() {
    document.getElementById("heading").textContent = t("nav.progress");
    document.title = `${t("nav.progress")} – ${t("brand")}`;
    const parts = [];
    for (const name of Object.keys(COMMANDS)) {
      const packed = await loadIf(name);
      parts.push(el("section", {}, el("h2", {}, t(`progress.${name}`)), ...(packed ? (packed.count ? findings(name, packed) : [el("p", { class: "empty" }, t("progress.nothing"))]) : [haidang.notComputed(COMMANDS[name])])));
    }
    document.getElementById("content").replaceChildren(...parts);
    document.documentElement.dataset.ready = "1";
  }

  window.addEventListener("DOMContentLoaded", () => { show(); haidang.events.addEventListener("language", show); });
})();
