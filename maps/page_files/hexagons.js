/* Hexagons on one canvas: colour says how good, opacity says how sure, hatching says too little evidence. */
"use strict";
(() => {
  const QUANTUM = 1e-5;
  const SURE_TESTS = 60; // from here a cell is drawn in full

  /* World coordinates (256 pixels at zoom 0) of centres and corners, once for each resolution. */
  function unfold(packed) {
    const { count, stream } = packed;
    const world = new Float64Array(count * 14);
    const now = new Int32Array(14);
    const toX = (longitude) => (longitude / 360 + 0.5) * 256;
    const toY = (latitude) => {
      const sine = Math.sin((latitude * Math.PI) / 180);
      return (0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI)) * 256;
    };
    for (let cell = 0; cell < count; cell += 1) {
      const at = cell * 14;
      for (let i = 0; i < 14; i += 1) now[i] += stream[at + i];
      world[at] = toX(now[0] * QUANTUM);
      world[at + 1] = toY(now[1] * QUANTUM);
      for (let i = 2; i < 14; i += 2) {
        world[at + i] = toX((now[0] + now[i]) * QUANTUM);
        world[at + i + 1] = toY((now[1] + now[i + 1]) * QUANTUM);
      }
    }
    return world;
  }

  function hatch(context, colour) {
    const tile = document.createElement("canvas");
    tile.width = tile.height = 8;
    const pen = tile.getContext("2d");
    pen.strokeStyle = colour;
    pen.lineWidth = 1.4;
    pen.beginPath();
    pen.moveTo(-2, 6); pen.lineTo(6, -2); pen.moveTo(2, 10); pen.lineTo(10, 2);
    pen.stroke();
    return context.createPattern(tile, "repeat");
  }

  const opacityOf = (tests) => 0.4 + 0.5 * Math.min(1, Math.log(Math.max(tests, 5) / 5) / Math.log(SURE_TESTS / 5));

  const Hexagons = L.Layer.extend({
    initialize() { this.cells = []; this.thin = []; },
    onAdd(map) {
      this.canvas = L.DomUtil.create("canvas", "leaflet-layer hexagons leaflet-zoom-hide");
      map.getPane("hexagons").append(this.canvas);
      map.on("moveend resize viewreset", this.draw, this);
      this.draw();
    },
    onRemove(map) {
      map.off("moveend resize viewreset", this.draw, this);
      this.canvas.remove();
    },
    /* `cells`: {at, colour, opacity, facts}; `world`: from unfold; `thin` cells are hatched on their own grid. */
    show(world, cells, thinWorld, thin) {
      Object.assign(this, { world, cells, thinWorld, thin });
      if (this._map) this.draw();
    },
    path(context, world, cell, scale, origin) {
      const at = cell * 14;
      context.moveTo(world[at + 2] * scale - origin.x, world[at + 3] * scale - origin.y);
      // Filling closes each ring by itself; closing thousands by hand takes longer than all their corners.
      for (let i = 4; i < 14; i += 2) context.lineTo(world[at + i] * scale - origin.x, world[at + i + 1] * scale - origin.y);
    },
    draw() {
      const map = this._map;
      const size = map.getSize();
      const ratio = window.devicePixelRatio || 1;
      L.DomUtil.setPosition(this.canvas, map.containerPointToLayerPoint([0, 0]));
      this.canvas.width = size.x * ratio;
      this.canvas.height = size.y * ratio;
      Object.assign(this.canvas.style, { width: `${size.x}px`, height: `${size.y}px` });
      const context = this.canvas.getContext("2d");
      context.scale(ratio, ratio);
      const scale = map.getZoomScale(map.getZoom(), 0);
      const origin = map.getPixelOrigin().subtract(map._getMapPanePos ? map._getMapPanePos() : [0, 0]);
      this.frame = { scale, origin };
      const inView = (world, cell) => {
        const x = world[cell * 14] * scale - origin.x;
        const y = world[cell * 14 + 1] * scale - origin.y;
        return x > -80 && y > -80 && x < size.x + 80 && y < size.y + 80;
      };
      if (this.thin.length) {
        context.fillStyle = hatch(context, haidang.colour("thin"));
        context.beginPath();
        this.thin.forEach((cell) => { if (inView(this.thinWorld, cell.at)) this.path(context, this.thinWorld, cell.at, scale, origin); });
        context.fill();
      }
      const bundles = new Map(); // few fills for many cells
      for (const cell of this.cells) {
        if (!inView(this.world, cell.at)) continue;
        const key = `${cell.colour}|${Math.round(cell.opacity * 8) / 8}`;
        if (!bundles.has(key)) bundles.set(key, []);
        bundles.get(key).push(cell.at);
      }
      for (const [key, cells] of bundles) {
        const [colour, opacity] = key.split("|");
        context.globalAlpha = Number(opacity);
        context.fillStyle = colour;
        context.beginPath();
        cells.forEach((cell) => this.path(context, this.world, cell, scale, origin));
        context.fill();
      }
      context.globalAlpha = 1;
    },
    /* The cell under a point of the map, shown ones before hatched ones. */
    under(latlng) {
      if (!this.frame) return null;
      const point = this._map.project(latlng, 0);
      const within = (world, cell) => {
        let inside = false;
        for (let i = 2, j = 12; i < 14; j = i, i += 2) {
          const [xi, yi, xj, yj] = [world[cell * 14 + i], world[cell * 14 + i + 1], world[cell * 14 + j], world[cell * 14 + j + 1]];
          if ((yi > point.y) !== (yj > point.y) && point.x < ((xj - xi) * (point.y - yi)) / (yj - yi) + xi) inside = !inside;
        }
        return inside;
      };
      return this.cells.find((cell) => within(this.world, cell.at)) || this.thin.find((cell) => within(this.thinWorld, cell.at)) || null;
    },
  });

  Object.assign(haidang, { hexagons: () => new Hexagons(), unfoldCells: unfold, evidenceOpacity: opacityOf });
})();
