/* Cells of findings in words; the report's maps/report/findings.py says the same on paper. */
"use strict";
(() => {
  const { el, t, num } = haidang;
  const names = new Map(); // key of an area, in any layer → its names

  async function learnNames() {
    const site = haidang.site();
    for (let index = 0; index < site.layers.length; index += 1) {
      (await haidang.load(`layer-${index}`)).areas.forEach((area) => names.set(area.key, area.name));
    }
  }

  const plain = (value) => num(value, Number.isInteger(value) || Math.abs(value) >= 100 ? 0 : Math.abs(value) < 1 ? 2 : 1);
  const percent = (value, digits = 0) => `${num(100 * value, digits)}%`;
  const place = (key) => (key === haidang.site().all ? t("word.whole_city") : names.has(key) ? haidang.name(names.get(key)) : key);
  const VERDICTS = { PASS: ["better", "✓ "], FAIL: ["worse", "✗ "], INDETERMINATE: ["hint", "? "] };

  const CELLS = {
    kpi: (row) => { const kpi = haidang.kpiOf(row.kpi); return kpi ? `${haidang.title(kpi)}${kpi.unit ? ` (${kpi.unit})` : ""}` : row.kpi; },
    limit: (row) => `${row.bound === "at_least" ? "≥" : "≤"}\u00a0${plain(row.limit)}`,
    interval: (row) => (row.low === null || row.high === null ? "–" : "drop_ratio" in row ? `${num(100 * row.low)}\u2009–\u2009${percent(row.high)}` : `${plain(row.low)}\u2009–\u2009${plain(row.high)}`),
    area: (row) => place(row.area),
    key: (row) => place(row.key),
    longest_outage_s: (row) => (row.longest_outage_s >= 5400 ? t("unit.hours", { value: num(row.longest_outage_s / 3600, 1) }) : t("unit.minutes", { value: num(row.longest_outage_s / 60) })),
    drop_ratio: (row) => percent(row.drop_ratio),
    availability: (row) => percent(row.availability, 2),
    downlink_median_bps: (row) => `${plain(row.downlink_median_bps / 1e6)}\u00a0Mbit/s`,
    nearest_bts_m: (row) => `${num(row.nearest_bts_m)}\u00a0m`,
    hour: (row) => t("plot.hour", { hour: String(row.hour) }),
    reason: (row) => row[`reason_${haidang.language()}`],
    technology: (row) => haidang.technology(row.technology),
    operator: (row) => haidang.operator(row.operator),
    since: (row) => haidang.day(row.since),
    verdict: (row) => el("span", { class: (VERDICTS[row.verdict] || ["", ""])[0] }, (VERDICTS[row.verdict] || ["", ""])[1], t(`word.${row.verdict}`)),
  };
  const VALUES = { area: (row) => place(row.area), key: (row) => place(row.key), interval: (row) => row.low };

  function cell(column, row) {
    const value = row[column];
    if (column in CELLS && (value !== null && value !== undefined || column === "interval" || column === "reason")) return CELLS[column](row);
    if (value === null || value === undefined) return "–";
    if (typeof value === "boolean") return t(value ? "word.yes" : "word.no");
    if (typeof value === "number") return plain(value);
    return haidang.hasText(`word.${value}`) ? t(`word.${value}`) : value;
  }

  /* The columns of a finding that its rows have, as a sortable table. */
  function findingTable(name, packed, rows, options = {}) {
    const finding = haidang.site().findings.find((each) => each.table === name);
    const held = (column) => (packed.columns[column] || []).some((value) => value !== null) || (column === "interval" && "low" in packed.columns) || (column === "reason" && "reason_en" in packed.columns);
    const numeric = (column) => column === "interval" || (packed.columns[column] || []).some((value) => typeof value === "number");
    const columns = finding.columns.filter(held).map((column, index) => ({
      key: column, label: t(`column.${column}`), number: numeric(column), isHeading: index === 0,
      value: (row) => { const value = VALUES[column] ? VALUES[column](row) : row[column]; return typeof value === "boolean" ? Number(value) : value ?? null; },
      cell: (row) => cell(column, row),
    }));
    return haidang.sortable(t(`progress.${name}.caption`), columns, rows, { limit: 15, ...options });
  }

  /* The same columns as pairs, for a popup. */
  function findingPairs(name, row) {
    const finding = haidang.site().findings.find((each) => each.table === name);
    const has = (column) => (column === "interval" ? row.low !== null && row.low !== undefined : column === "reason" || (row[column] !== null && row[column] !== undefined));
    return finding.columns.filter(has).map((column) => [t(`column.${column}`), cell(column, row)]);
  }

  Object.assign(haidang, { learnNames, findingTable, findingPairs, placeName: place });
})();
