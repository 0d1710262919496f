/* Findings on the map: holes as outlines, degraded areas as rings, places to measure next as numbers. */
"use strict";
(() => {
  const { el, t } = haidang;
  const QUANTUM = 1e-5;
  const STYLE = {
    near: { color: "#6a1b8a", weight: 2.5, dashArray: "5 4", fillColor: "#7a1fa2", fillOpacity: 0.18 },
    far: { color: "#6a1b8a", weight: 0.75, dashArray: null, fillColor: "#7a1fa2", fillOpacity: 0.55 },
  };
  const NEAR_ZOOM = 11.5; // hundreds of dashed outlines over a whole city are noise: from afar holes are spots

  function ring(steps) {
    let [x, y] = [0, 0];
    const points = [];
    for (let i = 0; i < steps.length; i += 2) {
      x += steps[i];
      y += steps[i + 1];
      points.push([y * QUANTUM, x * QUANTUM]);
    }
    return points;
  }

  function facts(name, row, title) {
    return el("div", { class: "facts" }, el("h3", {}, title), el("dl", {}, haidang.findingPairs(name, row).map(([label, value]) => el("div", {}, el("dt", {}, label), el("dd", {}, value)))),
      el("a", { href: `progress.html#${name}` }, t("facts.more")));
  }

  /* Whose rows are asked for: a finding about every operator or technology concerns each. */
  function concerns(row, state) {
    const all = haidang.site().all;
    return ["operator", "technology"].every((name) => state[name] === all || row[name] === all || String(row[name]).split(",").includes(state[name]));
  }

  function symbol(name, at, text) {
    const mark = L.marker(at, { pane: "findings", keyboard: true, icon: L.divIcon({ className: `mark ${name}`, html: el("span", {}, text), iconSize: [24, 24], iconAnchor: name === "degraded" ? [12, 30] : [12, 12] }) });
    return mark;
  }

  const PLACES = {
    holes: (row, packed, index) => (packed.outlines?.[index]?.length
      ? L.polygon(packed.outlines[index].map((polygon) => polygon.map(ring)), { ...STYLE.near, pane: "findings" })
      : L.circle([row.latitude_deg, row.longitude_deg], { ...STYLE.near, pane: "findings", radius: 300 })),
    degraded: (row, packed, index, layer) => {
      const area = row.layer === layer.key ? layer.areas.find((each) => each.key === row.area) : null;
      return area ? symbol("degraded", [area.label[1], area.label[0]], "▼") : null;
    },
    plan: (row) => (row.rank <= 60 && row.latitude_deg !== null ? symbol("plan", [row.latitude_deg, row.longitude_deg], String(row.rank)) : null),
  };

  /* Return the layer group of one finding for what is chosen. */
  function overlay(name, packed, state, layer) {
    const group = L.featureGroup();
    const table = haidang.table(packed);
    for (let index = 0; index < table.count; index += 1) {
      const row = table.row(index);
      const shape = concerns(row, state) ? PLACES[name](row, packed, index, layer) : null;
      if (shape) {
        const title = `${t(`over.${name}`)}: ${row.name || haidang.placeName(row.area ?? "")}`;
        shape.bindPopup(() => facts(name, row, title), { maxWidth: 340 });
        shape.options.alt = title;
        group.addLayer(shape);
      }
    }
    if (name === "holes") {
      group.on("add", ({ target }) => {
        const look = () => target.setStyle(target._map.getZoom() < NEAR_ZOOM ? STYLE.far : STYLE.near);
        const map = target._map;
        map.on("zoomend", look);
        target.once("remove", () => map.off("zoomend", look));
        look();
      });
    }
    return group;
  }

  haidang.overlay = overlay;
})();
