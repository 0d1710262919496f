/* How far the measuring has come, how the fixed sites do, verdicts against the national limits, what needs mending. */
"use strict";
(() => {
  const { el, t, loadIf, num } = haidang;

  const cards = (facts) => el("dl", { class: "cards" }, facts.map(([label, value]) => el("div", {}, el("dt", {}, label), el("dd", {}, value))));
  const ofTarget = (count, target) => (target ? `${num(count)}\u2009/\u2009${num(target)}` : num(count));

  function progressBar(count, target, label) {
    if (!target) return null;
    const share = Math.min(1, count / target);
    return el("p", {}, el("meter", { min: 0, max: 1, value: share, "aria-label": label }), ` ${num(100 * count / target, 0)}%`);
  }

  const HEADS = {
    participation(rows) {
      const whole = rows.find((row) => row.scope === "whole");
      if (!whole) return [];
      return [cards([[t("column.users_count"), ofTarget(whole.users_count, whole.users_target)], [t("column.samples_count"), ofTarget(whole.samples_count, whole.samples_target)]]),
        progressBar(whole.samples_count, whole.samples_target, t("column.samples_count"))].filter(Boolean);
    },
    sites(rows) {
      const held = rows.filter((row) => row.is_connected).length;
      return [cards([[t("progress.connected"), `${num(held)}\u2009/\u2009${num(rows.length)}`]])];
    },
    compliance(rows) {
      const count = (verdict) => num(rows.filter((row) => row.verdict === verdict).length);
      return [cards(["PASS", "FAIL", "INDETERMINATE"].map((verdict) => [t(`word.${verdict}`), count(verdict)]))];
    },
  };

  function body(name, packed, command) {
    if (!packed) return [haidang.notComputed(command)];
    if (!packed.count) return [el("p", { class: "empty" }, t("progress.nothing"))];
    const rows = haidang.table(packed).rows();
    const note = packed.total > rows.length ? [el("p", { class: "hint" }, t("progress.first", { shown: num(rows.length), total: num(packed.total) }))] : [];
    const kept = name === "participation" ? rows.filter((row) => row.scope !== "whole") : rows;
    return [...(HEADS[name] ? HEADS[name](rows) : []), haidang.findingTable(name, packed, kept), ...note];
  }

  async function show() {
    document.getElementById("heading").textContent = t("nav.progress");
    document.title = `${t("nav.progress")} – ${t("brand")}`;
    await haidang.learnNames();
    const parts = [];
    for (const { table, command } of haidang.site().findings) {
      parts.push(el("section", { id: table }, el("h2", {}, t(`progress.${table}`)), ...body(table, await loadIf(table), command)));
    }
    document.getElementById("content").replaceChildren(...parts);
    document.documentElement.dataset.ready = "1";
  }

  window.addEventListener("DOMContentLoaded", () => { show(); haidang.events.addEventListener("language", show); });
})();
