/* Tables that sort by their headings, by click or key, and say so to screen readers. */
"use strict";
(() => {
  const { el, t } = haidang;

  /* `columns`: {key, label, number, value(row), cell(row)}; rows without a value stand last either way. */
  function sortable(caption, columns, rows, { sortBy, descending = true, limit = 0, rowClass = () => null } = {}) {
    const state = { key: sortBy, descending, limit };
    const body = el("tbody");
    const more = el("button", { type: "button", class: "more", onclick: () => { state.limit = 0; fill(); } });
    const headings = columns.map((column) => {
      const press = () => {
        state.descending = state.key === column.key ? !state.descending : Boolean(column.number);
        state.key = column.key;
        fill();
      };
      const inner = column.value ? el("button", { type: "button", onclick: press }, column.label, el("span", { class: "arrow", "aria-hidden": "true" })) : column.label;
      return el("th", { scope: "col", class: column.number ? "number" : null }, inner);
    });

    function fill() {
      const column = columns.find((each) => each.key === state.key);
      const collator = new Intl.Collator(haidang.language());
      const sign = state.descending ? -1 : 1;
      const ordered = column ? [...rows].sort((a, b) => {
        const [x, y] = [column.value(a), column.value(b)];
        if (x === y) return 0;
        if (x === null || x === undefined) return 1;
        if (y === null || y === undefined) return -1;
        return sign * (typeof x === "string" ? collator.compare(x, y) : x - y);
      }) : rows;
      const shown = state.limit ? ordered.slice(0, state.limit) : ordered;
      headings.forEach((heading, index) => {
        const isSorted = columns[index].key === state.key;
        if (isSorted) heading.setAttribute("aria-sort", state.descending ? "descending" : "ascending");
        else heading.removeAttribute("aria-sort");
        const arrow = heading.querySelector(".arrow");
        if (arrow) arrow.textContent = isSorted ? (state.descending ? "▼" : "▲") : "";
      });
      body.replaceChildren(...shown.map((row) => el("tr", { class: rowClass(row) }, columns.map((each, index) => {
        const cell = each.cell ? each.cell(row) : each.value(row);
        return index === 0 && each.isHeading
          ? el("th", { scope: "row" }, cell ?? "–")
          : el("td", { class: each.number ? "number" : null }, cell ?? "–");
      }))));
      more.hidden = shown.length === rows.length;
      more.textContent = t("table.more", { count: haidang.num(rows.length) });
    }
    fill();
    return el("div", { class: "table" }, el("table", {},
      el("caption", {}, caption), el("thead", {}, el("tr", {}, headings)), body), more);
  }

  const badge = (grade, index) => el("span", { class: `badge class-${index}` }, grade);
  const notComputed = (name) => el("p", { class: "empty" }, t("empty.not_computed"), " ", el("code", {}, name));

  Object.assign(haidang, { sortable, badge, notComputed });
})();
