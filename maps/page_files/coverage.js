/* The coverage surface: level, chance to reach the threshold, or how unsure it is; empty where it does not know. */
"use strict";
(() => {
  const { load, loadIf } = haidang;
  const VIEWS = ["mean", "probability", "sigma"];
  // σ of the surface itself, from poor to good. That of one test holds the fading of a street, much the same everywhere.
  const LEVEL_ERROR = [8, 6.5, 5, 3.5]; // dB
  const SPEED_ERROR = [0.7, 0.5, 0.35, 0.2]; // of the natural logarithm
  const grids = {};

  /* The scale a view is coloured and explained by. */
  function scaleOf(kpi, view) {
    if (view === "probability") return { id: "probability", unit: "%", digits: 0, better: "higher", title: { vi: "Xác suất đạt ngưỡng", en: "Chance to reach the threshold" }, breaks: { "*": [50, 80, 90, 95] } };
    if (view === "sigma") {
      const isLevel = kpi.unit.startsWith("dB");
      return { id: "sigma", unit: isLevel ? "dB" : "", digits: isLevel ? 1 : 2, better: "lower", title: { vi: "Độ bất định σ của bề mặt", en: "Uncertainty σ of the surface" }, breaks: { "*": isLevel ? LEVEL_ERROR : SPEED_ERROR } };
    }
    return kpi;
  }

  async function slice(state) {
    const words = haidang.site().words;
    return loadIf(`coverage-${words.operator.indexOf(state.operator)}-${words.technology.indexOf(state.technology)}`);
  }

  /* Cells to draw for what is chosen; null where no surface was computed for it. */
  async function coverageCells(state, kpi) {
    const data = await slice(state);
    const surface = data?.surfaces[kpi.id];
    if (!surface) return null;
    const { resolution } = data;
    grids[resolution] = grids[resolution] || haidang.unfoldCells(await load(`covergrid-${resolution}`));
    const view = surface[state.view] ? state.view : "mean";
    const drawn = view === "sigma" && surface.error ? "error" : view;
    const scale = scaleOf(kpi, view);
    const { colours } = haidang.site();
    let at = 0;
    const cells = surface.index.map((step, i) => {
      at += step;
      const group = haidang.classOf(scale, state.technology, surface[drawn][i]);
      return {
        at, colour: group === null ? haidang.site().no_data : colours[group], opacity: 0.75,
        facts: { surface: true, mean: surface.mean[i], sigma: surface.sigma[i], error: surface.error?.[i], probability: surface.probability?.[i], threshold: surface.threshold },
      };
    });
    return { world: grids[resolution], cells, scale };
  }

  Object.assign(haidang, { coverageCells, coverageViews: VIEWS, coverageScale: scaleOf });
})();
