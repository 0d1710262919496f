/* What to look at: theme, operator, technology, KPI, layer, period, search. The choice lives in the page's address. */
"use strict";
(() => {
  const { el, t } = haidang;
  const THEMES = ["areas", "hexagons", "coverage", "density"];
  const OVERLAYS = ["stations", "holes", "degraded", "plan"];

  function select(id, label, options, value, onChange) {
    const node = el("select", { id, onchange: () => onChange(node.value) },
      options.map(([key, text]) => el("option", { value: key, selected: key === value }, text)));
    return el("div", { class: "field" }, el("label", { for: id }, label), node);
  }

  function themes(state, change) {
    return el("fieldset", { class: "segments" }, el("legend", {}, t("theme.label")), THEMES.map((theme) => el("label", {},
      el("input", { type: "radio", name: "theme", value: theme, checked: state.theme === theme, onchange: () => change({ theme }) }),
      el("span", {}, t(`theme.${theme}`)))));
  }

  function overlays(state, change, can) {
    return el("fieldset", { class: "segments" }, el("legend", {}, t("over.label")), OVERLAYS.map((name) => el("label", {},
      el("input", {
        type: "checkbox", checked: state.over.includes(name), disabled: !can(name),
        onchange: (event) => change({ over: event.target.checked ? [...state.over, name] : state.over.filter((each) => each !== name) }),
      }),
      el("span", {}, t(`over.${name}`)))));
  }

  /* The slider stands on months; the button beside it on the whole period. */
  function periods(state, change) {
    const { periods: words } = { periods: haidang.site().words.period };
    const months = words.filter((word) => word !== haidang.site().whole);
    if (!months.length) return el("div", { class: "field" });
    const isWhole = state.period === haidang.site().whole;
    const output = el("output", { for: "period" }, haidang.period(state.period));
    const slider = el("input", {
      type: "range", id: "period", min: 0, max: months.length - 1, step: 1,
      value: isWhole ? months.length - 1 : months.indexOf(state.period), class: isWhole ? "unused" : null,
      "aria-valuetext": haidang.period(state.period),
      oninput: () => change({ period: months[Number(slider.value)] }),
    });
    const whole = words.includes(haidang.site().whole) && el("button", {
      type: "button", class: "quiet", "aria-pressed": String(isWhole),
      onclick: () => change({ period: isWhole ? months[months.length - 1] : haidang.site().whole }),
    }, t("period.whole_button"));
    return el("div", { class: "field period" }, el("label", { for: "period" }, t("period.label")), output, slider, whole);
  }

  function search(find, go) {
    const list = el("datalist", { id: "found" });
    const input = el("input", {
      type: "search", id: "search", list: "found", autocomplete: "off", placeholder: t("search.placeholder"),
      oninput: () => {
        const hits = find(input.value);
        const exact = hits.find((hit) => hit.text === input.value);
        if (exact) { input.value = ""; go(exact); return; }
        list.replaceChildren(...hits.slice(0, 12).map((hit) => el("option", { value: hit.text })));
      },
      onkeydown: (event) => {
        if (event.key !== "Enter") return;
        event.preventDefault();
        const [hit] = find(input.value);
        if (hit) { input.value = ""; go(hit); }
      },
    });
    return el("div", { class: "field search" }, el("label", { for: "search" }, t("search.label")), input, list);
  }

  function controls(node, state, change, { find, go, can }) {
    const site = haidang.site();
    const focused = document.activeElement && node.contains(document.activeElement) ? document.activeElement : null;
    const held = focused && (focused.id ? `#${focused.id}` : focused.value ? `[value="${focused.value}"]` : null);
    const layers = site.layers.map((layer, index) => [String(index),
      haidang.name(layer.title) + (layer.is_historical ? ` (${t("layer.historical")})` : "")]);
    const offered = { areas: () => true, coverage: (kpi) => ["rsrp", "sinr", "downlink"].includes(kpi.id) }[state.theme] || ((kpi) => kpi.id !== "score");
    const kpis = site.kpis.filter(offered).map((kpi) => [kpi.id, haidang.title(kpi)]);
    const details = node.querySelector("details");
    const isOpen = details ? details.open : window.matchMedia("(min-width: 60em)").matches;
    node.replaceChildren(
      el("div", { class: "themes" }, themes(state, change), overlays(state, change, can)),
      el("details", { open: isOpen }, el("summary", {}, t("controls.summary")),
        el("div", { class: "fields" },
          select("operator", t("operator.label"), site.words.operator.map((word) => [word, haidang.operator(word)]), state.operator, (operator) => change({ operator })),
          select("technology", t("technology.label"), site.words.technology.map((word) => [word, haidang.technology(word)]), state.technology, (technology) => change({ technology })),
          select("kpi", t("kpi.label"), kpis, state.kpi, (kpi) => change({ kpi })),
          select("layer", t("layer.label"), layers, String(state.layer), (layer) => change({ layer: Number(layer), area: null })),
          state.theme === "coverage"
            ? select("view", t("coverage.view"), haidang.coverageViews.map((view) => [view, t(`coverage.view.${view}`)]), state.view, (view) => change({ view }))
            : periods(state, change),
          search(find, go))),
    );
    if (held) node.querySelector(held)?.focus();
  }

  haidang.controls = controls;
})();
