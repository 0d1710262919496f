/* Where the figures come from, what was left out, what they cannot say. */
"use strict";
(() => {
  const { el, t } = haidang;
  const section = (title, ...content) => el("section", {}, el("h2", {}, title), ...content);

  function left() {
    const rows = haidang.site().exclusions;
    if (!rows.length) return haidang.notComputed("haidang-analysis rate");
    return haidang.sortable(t("about.left.caption"), [
      { key: "scope", label: t("about.scope"), isHeading: true, value: (row) => row.scope, cell: (row) => t(`scope.${row.scope}`) },
      { key: "reason", label: t("about.reason"), value: (row) => row.reason, cell: (row) => (haidang.hasText(`reason.${row.reason}`) ? t(`reason.${row.reason}`) : row.reason) },
      { key: "count", label: t("about.count"), number: true, value: (row) => row.count, cell: (row) => haidang.num(row.count) },
    ], rows, { sortBy: "count" });
  }

  function boundaries() {
    return el("ul", {}, haidang.site().layers.map((layer) => el("li", {}, `${haidang.name(layer.title)}: ${t("about.areas", { count: haidang.num(layer.count) })}`,
      layer.is_approximate ? ` ${t("layer.approximate")}` : "", layer.is_historical ? ` ${t("layer.until", { day: haidang.day(layer.valid_until) })}` : "",
      layer.points[1] < layer.points[0] ? ` ${t("about.simplified", { from: haidang.num(layer.points[0]), to: haidang.num(layer.points[1]), metres: haidang.num(layer.points[2]) })}` : "",
      layer.attribution ? ` ${layer.attribution}.` : "")), haidang.has("land") ? el("li", {}, t("about.coastline")) : "");
  }

  function show() {
    const site = haidang.site();
    document.getElementById("heading").textContent = t("nav.about");
    document.title = `${t("nav.about")} – ${t("brand")}`;
    const days = site.days ? t("about.days", { first: haidang.day(site.days[0]), last: haidang.day(site.days[1]), count: haidang.num(site.days[2]) }) : t("about.no_days");
    document.getElementById("content").replaceChildren(
      section(t("about.data"), el("p", {}, days), el("p", {}, t("about.made", { day: haidang.day(site.made_at) })), site.is_simulated ? el("p", {}, t("simulated.long")) : ""),
      section(t("about.method"), el("ol", {}, [1, 2, 3, 4, 5].map((step) => el("li", {}, t(`about.method.${step}`)))), el("p", { class: "hint" }, t("about.method.docs"))),
      section(t("about.limits"), el("ul", {}, [1, 2, 3, 4].map((step) => el("li", {}, t(`about.limits.${step}`))))),
      section(t("about.left"), left()),
      section(t("about.boundaries"), boundaries()),
      section(t("about.privacy"), el("p", {}, t("about.privacy.text", { tests: haidang.num(site.floors[0]), devices: haidang.num(site.floors[1]) }))),
      section(t("about.licence"), el("p", {}, t("about.licence.text"))),
    );
    document.documentElement.dataset.ready = "1";
  }

  window.addEventListener("DOMContentLoaded", () => { show(); haidang.events.addEventListener("language", show); });
})();
