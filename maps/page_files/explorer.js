/* The overview: keeps what was chosen, fetches the slice it needs, and has every layer drawn from it. */
"use strict";
(() => {
  const { el, t, hash, load, loadIf } = haidang;
  const GRID_FINE_ZOOM = 12.5;
  const DEFAULTS = { theme: "areas", over: "stations" };

  function initial(site) {
    const asked = hash.read();
    const pick = (value, allowed, fallback) => (allowed.includes(value) ? value : fallback);
    const layerKeys = site.layers.map((layer) => layer.key);
    const months = site.words.period.filter((word) => word !== site.whole);
    return {
      theme: pick(asked.theme, ["areas", "hexagons", "coverage", "density"], DEFAULTS.theme),
      operator: pick(asked.operator, site.words.operator, site.words.operator[0] ?? site.all),
      technology: pick(asked.technology, site.words.technology, site.words.technology[0] ?? site.all),
      kpi: pick(asked.kpi, site.kpis.map((kpi) => kpi.id), "score"),
      period: pick(asked.period, site.words.period, site.words.period[0] ?? months.at(-1) ?? site.whole),
      layer: layerKeys.includes(asked.layer) ? layerKeys.indexOf(asked.layer) : site.default_layer,
      view: pick(asked.view, haidang.coverageViews, "mean"),
      over: (asked.over ?? DEFAULTS.over).split(",").filter(Boolean),
      areaKey: asked.area ?? null,
      area: null,
      station: null,
      at: asked.at ?? null,
    };
  }

  /* Hexagons carry no score; coverage speaks of signal. */
  function fit(state) {
    const surfaces = ["rsrp", "sinr", "downlink"];
    if (state.theme === "coverage") {
      const site = haidang.site();
      const drawn = (operator, technology) => site.files.includes(`coverage-${site.words.operator.indexOf(operator)}-${site.words.technology.indexOf(technology)}`);
      if (!surfaces.includes(state.kpi)) state.kpi = "rsrp";
      // A surface is one operator's on one technology: open on the first there is.
      if (!drawn(state.operator, state.technology)) {
        const pairs = site.words.operator.flatMap((operator) => site.words.technology.map((technology) => [operator, technology])).filter((pair) => drawn(...pair));
        const [operator, technology] = pairs.find((pair) => pair[0] === state.operator) || pairs.find((pair) => pair[1] === state.technology) || pairs[0] || [state.operator, state.technology];
        Object.assign(state, { operator, technology });
      }
    } else if (state.theme !== "areas" && state.kpi === "score") state.kpi = "downlink";
    return state;
  }

  /* Rows of one slice of a ratings table by index. */
  function slice(table, state) {
    const rows = new Map();
    if (!table) return rows;
    for (let i = 0; i < table.count; i += 1) {
      if (table.at("operator", i) === state.operator && table.at("technology", i) === state.technology) {
        const row = table.row(i);
        rows.set(row.index, row);
      }
    }
    return rows;
  }

  function explore(map, heat) {
    const site = haidang.site();
    const state = fit(initial(site));
    const body = document.getElementById("panel-body");
    const status = document.getElementById("status");
    const layers = [];
    let shown = null;
    let stations = null;
    let labels = null;
    let turn = 0;
    const grids = {};
    const tables = {};
    const hexagons = haidang.hexagons();
    const overlays = {};

    for (const [name, order] of [["areas", 390], ["hexagons", 410], ["labels", 450], ["findings", 440], ["stations", 445]]) {
      map.createPane(name).style.zIndex = order;
    }
    map.getPane("labels").style.pointerEvents = "none";
    map.getPane("hexagons").style.pointerEvents = "none";

    const kpi = () => haidang.kpiOf(state.kpi);
    const periodIndex = (period) => site.words.period.indexOf(period);

    async function tableOf(name) {
      if (!(name in tables)) {
        const packed = await loadIf(name);
        tables[name] = packed ? haidang.table(packed) : null;
      }
      return tables[name];
    }

    function change(values) {
      Object.assign(state, values);
      fit(state);
      remember();
      drawControls();
      return refresh();
    }

    function remember() {
      const centre = map.getCenter();
      hash.write({
        theme: state.theme, operator: state.operator, technology: state.technology, kpi: state.kpi, period: state.period,
        view: state.theme === "coverage" ? state.view : null,
        layer: site.layers[state.layer]?.key, over: state.over.join(","),
        area: state.area === null || !shown ? null : shown.layer.areas[state.area].key,
        at: `${map.getZoom().toFixed(2)}/${centre.lat.toFixed(4)}/${centre.lng.toFixed(4)}`,
      });
    }

    async function useLayer() {
      if (!site.layers.length) return;
      if (!layers[state.layer]) layers[state.layer] = haidang.areaLayer(await load(`layer-${state.layer}`), (index, latlng) => pickAt(index, latlng));
      if (shown === layers[state.layer]) return;
      shown?.group.remove();
      labels?.remove();
      shown = layers[state.layer];
      shown.group.addTo(map);
      labels = haidang.labels(shown.layer.areas).addTo(map);
      const meta = site.layers[state.layer];
      const note = document.getElementById("map-note");
      note.hidden = !meta.is_approximate && !meta.is_historical;
      note.textContent = [meta.is_approximate && t("layer.approximate"), meta.is_historical && t("layer.until", { day: haidang.day(meta.valid_until) })].filter(Boolean).join(" ");
      if (state.areaKey) {
        const index = shown.layer.areas.findIndex((area) => area.key === state.areaKey);
        state.areaKey = null;
        if (index >= 0) state.area = index;
      }
    }

    /* Ask for every slice at once; what draws them waits for its own. */
    function ahead(now) {
      const asked = [`ratings-${state.layer}-${now}-${state.kpi}`, `changes-${state.layer}`];
      if (state.over.includes("stations")) asked.push(`bts-${now}-${state.kpi}`);
      if (state.theme === "hexagons") asked.push(cellsName("cells", `-${state.kpi}`), cellsName("thin"));
      if (state.theme === "density") asked.push(cellsName("cells", "-downlink"));
      asked.forEach((name) => loadIf(name).catch(() => null));
    }

    async function refresh() {
      const mine = ++turn;
      const now = periodIndex(state.period);
      ahead(now);
      await useLayer();
      const ratings = await tableOf(`ratings-${state.layer}-${now}-${state.kpi}`);
      const changes = await loadIf(`changes-${state.layer}`);
      if (mine !== turn) return;
      const rows = slice(ratings, state);
      shown?.paint((index) => {
        const row = rows.get(index);
        if (state.theme !== "areas") return { colour: haidang.colour("land"), opacity: 0.9, isThin: false };
        if (!haidang.isRated(row)) return { colour: site.no_data, opacity: 0.18, isThin: true };
        const opacity = row.status === "provisional" ? 0.5 : 0.82; // less evidence, less colour
        return { colour: site.colours[haidang.rowClass(kpi(), state.technology, row)], opacity, isThin: false };
      }, state.area);
      drawLegend();
      haidang.overview = { state, kpi: kpi(), areas: shown ? shown.layer.areas : [], rows, changes, go };
      drawPanel();
      await Promise.all([drawHexagons(mine), drawStations(mine), drawDensity(mine), drawOverlays(mine)]);
      if (mine === turn) {
        document.documentElement.dataset.ready = String(turn);
        status.textContent = t("status.shown", { kpi: haidang.title(kpi()), operator: haidang.operator(state.operator), technology: haidang.technology(state.technology), period: haidang.period(state.period) });
      }
    }

    function drawLegend() {
      const node = document.getElementById("legend");
      if (state.theme === "density") haidang.densityLegend(node);
      else if (state.theme === "coverage") haidang.legend(node, haidang.coverageScale(kpi(), state.view), state.technology, "coverage");
      else haidang.legend(node, kpi(), state.technology, state.theme);
    }

    function drawPanel() {
      document.getElementById("panel-title").textContent = `${haidang.title(kpi())} · ${haidang.operator(state.operator)} · ${haidang.technology(state.technology)}`;
      if (!site.computed.includes("area_ratings")) body.replaceChildren(haidang.notComputed("haidang-analysis rate"));
      else haidang.panel(body, haidang.overview);
    }

    const cellsName = (kind, tail = "") => `${kind}-${site.words.operator.indexOf(state.operator)}-${site.words.technology.indexOf(state.technology)}-${periodIndex(state.period)}${tail}`;
    const cellsOf = (kind, tail) => loadIf(cellsName(kind, tail));

    async function gridOf(resolution) {
      if (!grids[resolution]) grids[resolution] = haidang.unfoldCells(await load(`grid-${resolution}`));
      return grids[resolution];
    }

    async function drawHexagons(mine) {
      if (state.theme === "coverage") return void await drawCoverage(mine);
      if (state.theme !== "hexagons") return void hexagons.remove();
      const [data, sparse] = await Promise.all([cellsOf("cells", `-${state.kpi}`).then((found) => found || {}), cellsOf("thin")]);
      const resolutions = Object.keys(data).map(Number).sort((a, b) => a - b);
      const resolution = map.getZoom() >= GRID_FINE_ZOOM ? resolutions.at(-1) : resolutions[0];
      const figures = resolution && data[resolution];
      const world = resolution ? await gridOf(resolution) : null;
      const thinWorld = sparse ? await gridOf(7) : null;
      if (mine !== turn) return;
      let at = 0;
      const cells = (figures ? figures.index : []).map((step, i) => {
        at += step;
        const value = figures.value[i];
        const group = haidang.classOf(kpi(), state.technology, value);
        const facts = { value, tests: figures.tests[i], devices: figures.devices[i], p10: figures.p10?.[i] };
        return { at, colour: group === null ? site.no_data : site.colours[group], opacity: group === null ? 0.3 : haidang.evidenceOpacity(figures.tests[i]), facts };
      });
      const thin = sparse ? sparse.index.map((cell, i) => ({ at: cell, facts: { isThin: true, tests: sparse.tests[i], cells: sparse.cells[i], needed: sparse.needed[i] } })) : [];
      hexagons.show(world, cells, thinWorld, thin);
      if (!map.hasLayer(hexagons)) hexagons.addTo(map);
    }

    async function drawCoverage(mine) {
      const found = await haidang.coverageCells(state, kpi());
      if (mine !== turn) return;
      hexagons.show(found?.world, found?.cells ?? [], null, []);
      if (!map.hasLayer(hexagons)) hexagons.addTo(map);
      if (!found) document.getElementById("legend").append(el("p", {}, t(site.computed.includes("coverage") ? "coverage.none" : "empty.not_computed"), " ", site.computed.includes("coverage") ? "" : el("code", {}, "haidang-analysis coverage")));
    }

    async function drawOverlays(mine) {
      for (const name of ["holes", "degraded", "plan"]) {
        const packed = state.over.includes(name) ? await loadIf(name) : null;
        if (mine !== turn) return;
        overlays[name]?.remove();
        if (packed && shown) {
          overlays[name] = haidang.overlay(name, packed, state, shown.layer).addTo(map);
        }
      }
    }

    async function drawDensity(mine) {
      if (state.theme !== "density") return void heat.remove();
      const data = (await cellsOf("cells", "-downlink")) || (await cellsOf("cells", `-${state.kpi}`)) || {};
      const resolution = Object.keys(data).map(Number).sort((a, b) => a - b)[0];
      const figures = resolution && data[resolution];
      const world = figures ? await gridOf(resolution) : null;
      if (mine !== turn) return;
      const top = figures ? [...figures.tests].sort((a, b) => a - b)[Math.floor(0.95 * (figures.tests.length - 1))] : 1;
      let at = 0;
      if (!map.hasLayer(heat)) heat.addTo(map); // a heat layer taken off its map cannot be given points
      heat.setLatLngs((figures ? figures.index : []).map((step, i) => {
        at += step;
        const centre = map.unproject([world[at * 14], world[at * 14 + 1]], 0);
        return [centre.lat, centre.lng, Math.min(1, figures.tests[i] / top)];
      }));
    }

    async function drawStations(mine) {
      if (!site.stations_count || !state.over.includes("stations")) return void stations?.group.remove();
      const registry = await load("stations");
      const ratings = await tableOf(`bts-${periodIndex(state.period)}-${state.kpi}`) || await tableOf(`bts-0-${state.kpi}`);
      if (mine !== turn) return;
      stations = stations || haidang.stationLayer(map, registry, (index) => pickStation(index));
      const asked = ["operator", "technology"].filter((name) => state[name] !== site.all);
      const rows = new Map();
      for (let i = 0; ratings && i < ratings.count; i += 1) {
        if (asked.every((name) => ratings.at(name, i) === state[name])) rows.set(ratings.at("index", i), ratings.row(i));
      }
      haidang.stationRows = rows;
      stations.paint((index) => {
        if (state.operator !== site.all && stations.registry.at("operator", index) !== state.operator) return null;
        const row = rows.get(index);
        if (!haidang.isRated(row)) return { colour: site.no_data, isThin: true };
        return { colour: site.colours[haidang.rowClass(kpi(), row.technology, row)], isThin: false };
      }, state.station);
      stations.group.addTo(map);
    }

    function facts(title, pairs, link) {
      return el("div", { class: "facts" }, el("h3", {}, title),
        el("dl", {}, pairs.filter(([, value]) => value !== null && value !== undefined).map(([label, value]) => el("div", {}, el("dt", {}, label), el("dd", {}, value)))),
        link ? el("a", { href: link }, t("facts.more")) : null);
    }

    function ratingPairs(row) {
      if (!haidang.isRated(row)) {
        return [[haidang.title(kpi()), row && row.needed_count ? t("thin.needed", { count: haidang.num(row.needed_count) }) : t("thin.none")], [t("rank.samples"), haidang.num(row?.samples_count ?? 0)]];
      }
      const grade = row.grade ? ` (${row.grade})` : "";
      return [
        [haidang.title(kpi()), haidang.figure(kpi(), row.value) + grade],
        [t("facts.capped"), row.grade && haidang.rowClass(kpi(), state.technology, row) < haidang.classOf(kpi(), state.technology, row.value) ? t("facts.capped.why") : null],
        [t("facts.interval"), haidang.range(kpi(), row.low, row.high)],
        [t("rank.place"), row.rank_low ? `${haidang.rankText(row)} / ${haidang.num(haidang.overview.rows.size)}` : null],
        [t("rank.samples"), haidang.num(row.samples_count)],
        [t("facts.devices"), row.devices_count === null ? null : haidang.num(row.devices_count)],
        [t("facts.status"), row.status ? t(`status.${row.status}`) : null],
      ];
    }

    function popup(latlng, content) {
      L.popup({ maxWidth: 320, autoPanPadding: [24, 24] }).setLatLng(latlng).setContent(content).openOn(map);
    }

    function pickAt(index, latlng) {
      if (state.theme === "hexagons" || state.theme === "coverage") {
        const cell = hexagons.under(latlng);
        if (cell) return popup(latlng, cellFacts(cell.facts, index));
      }
      return openArea(index, latlng);
    }

    /* σ of a level in dB; σ of a speed's logarithm as the factor that it stands for. */
    const sigmaText = (level, sigma) => (level.unit.startsWith("dB") ? `${haidang.num(sigma, 1)}\u00a0dB` : `×÷\u00a0${haidang.num(Math.exp(sigma), 2)}`);

    /* Public builds carry counts in bands. */
    const count = (value) => (site.is_internal ? "" : "≥\u00a0") + haidang.num(value);

    function cellFacts(found, index) {
      const place = shown.layer.areas[index] ? haidang.name(shown.layer.areas[index].name) : t("cell.title");
      if (found.surface) {
        const level = kpi();
        return facts(t("coverage.title"), [[t("cell.place"), place], [haidang.title(level), haidang.figure(level, found.mean)],
          [t("coverage.sigma"), sigmaText(level, found.sigma)],
          [t("coverage.error"), found.error === undefined || found.error === null ? null : sigmaText(level, found.error)],
          [t("coverage.probability", { threshold: found.threshold === null ? "" : haidang.figure(level, found.threshold) }), found.probability === undefined || found.probability === null ? null : `${haidang.num(found.probability)}%`]]);
      }
      if (found.isThin) {
        return facts(t("cell.thin_title"), [[t("cell.place"), place], [t("rank.samples"), `≥\u00a0${haidang.num(found.tests)}`], [t("cell.cells"), haidang.num(found.cells)], [t("rank.needed"), haidang.num(found.needed)]]);
      }
      if (found.value === null) {
        const [tests] = site.floors;
        return facts(t("cell.thin_title"), [[t("cell.place"), place], [t("rank.samples"), haidang.num(found.tests)], [t("rank.needed"), haidang.num(Math.max(1, tests - found.tests))]]);
      }
      return facts(t("cell.title"), [
        [t("cell.place"), place], [haidang.title(kpi()), haidang.figure(kpi(), found.value)],
        [t("cell.p10"), found.p10 === undefined || found.p10 === null ? null : haidang.figure(kpi(), found.p10)],
        [t("rank.samples"), count(found.tests)], [t("facts.devices"), count(found.devices)],
      ]);
    }

    function openArea(index, latlng) {
      state.area = index;
      state.station = null;
      remember();
      const area = shown.layer.areas[index];
      const link = `area.html#${new URLSearchParams({ layer: shown.layer.key, area: area.key })}`;
      popup(latlng, facts(haidang.name(area.name), ratingPairs(haidang.overview.rows.get(index)), link));
      return refresh();
    }

    function go(index) {
      const shape = shown.shapes[index];
      map.fitBounds(shape.getBounds(), { maxZoom: 13, padding: [40, 40] });
      const label = shown.layer.areas[index].label;
      return openArea(index, L.latLng(label[1], label[0]));
    }

    function pickStation(index) {
      state.station = index;
      const { registry, dots } = stations;
      const row = haidang.stationRows.get(index);
      const link = `station.html#${new URLSearchParams({ station: registry.at("id", index) })}`;
      const pairs = [[t("operator.label"), registry.at("operator", index)], [t("technology.label"), haidang.technology(registry.at("technology", index))], ...ratingPairs(row).filter(([label]) => label !== t("rank.place"))];
      popup(dots[index].getLatLng(), facts(registry.at("name", index) || registry.at("id", index), pairs, link));
      return refresh();
    }

    /* Names are found with and without their accents. */
    const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").replace(/đ/g, "d").replace(/Đ/g, "D").toLowerCase();
    function find(text) {
      const wanted = plain(text.trim());
      if (!wanted || !shown) return [];
      const hits = shown.layer.areas.map((area, index) => ({ text: haidang.name(area.name), index, kind: "area" })).filter((hit) => plain(hit.text).includes(wanted));
      for (let index = 0; stations && index < stations.registry.count && hits.length < 40; index += 1) {
        const id = stations.registry.at("id", index);
        if (plain(`${id} ${stations.registry.at("name", index) ?? ""}`).includes(wanted)) hits.push({ text: id, index, kind: "station" });
      }
      return hits;
    }

    function follow(hit) {
      if (hit.kind === "area") return go(hit.index);
      map.setView(stations.dots[hit.index].getLatLng(), 15);
      return pickStation(hit.index);
    }

    const can = (name) => (name === "stations" ? site.stations_count > 0 : haidang.has(name));
    const drawControls = () => haidang.controls(document.getElementById("controls"), state, change, { find, go: follow, can });

    function farButtons() {
      const names = Object.keys(site.far);
      if (!names.length) return;
      const Far = L.Control.extend({
        onAdd: () => el("div", { class: "leaflet-bar far" }, names.map((key) => el("button", {
          type: "button", onclick: () => { const index = shown.layer.areas.findIndex((area) => area.key === key); if (index >= 0) go(index); },
        }, `${farName(key)} ⇢`))),
      });
      new Far({ position: "topright" }).addTo(map);
    }
    const farName = (key) => { const area = shown?.layer.areas.find((each) => each.key === key); return area ? haidang.name(area.name) : key; };

    map.on("zoomend", () => { if (state.theme === "hexagons") drawHexagons(turn); });
    map.on("moveend", remember);
    haidang.events.addEventListener("language", () => { drawControls(); shown = null; labels?.remove(); layers.forEach((each) => each?.group.remove()); refresh(); });
    let land = null;
    async function drawLand() {
      const shape = await loadIf("land");
      if (shape) land = haidang.landLayer(map, shape).addTo(map);
    }
    haidang.events.addEventListener("theme", () => { land?.setStyle(haidang.landStyle()); labels?.draw?.(); refresh(); });

    drawControls(); // before the view is set: the controls decide how much room the map has
    L.control.scale({ imperial: false, position: "bottomright" }).addTo(map);
    map.attributionControl.setPrefix("Leaflet");
    map.invalidateSize({ animate: false });
    const place = (state.at || "").split("/").map(Number);
    if (place.length === 3 && place.every(Number.isFinite)) map.setView([place[1], place[2]], place[0], { animate: false });
    else map.fitBounds([[site.box[2], site.box[0]], [site.box[3], site.box[1]]], { animate: false, padding: [8, 8] });
    haidang.learnNames();
    drawLand();
    refresh().then(() => { farButtons(); document.documentElement.dataset.usable = String(Math.round(performance.now())); });
    haidang.change = change;
  }

  haidang.explore = explore;
})();
