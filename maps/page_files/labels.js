/* Names of areas on a canvas: each where it fits, none over another, the larger first. */
"use strict";
(() => {
  const Labels = L.Layer.extend({
    initialize(areas) {
      this.areas = areas.map((area) => ({ area, position: L.latLng(area.label[1], area.label[0]), reach: area.label[2] }))
        .sort((a, b) => b.reach - a.reach);
    },
    onAdd(map) {
      this.canvas = L.DomUtil.create("canvas", "leaflet-layer labels leaflet-zoom-hide");
      this.canvas.setAttribute("aria-hidden", "true");
      map.getPane("labels").append(this.canvas);
      map.on("moveend resize viewreset", this.draw, this);
      this.draw();
    },
    onRemove(map) {
      map.off("moveend resize viewreset", this.draw, this);
      this.canvas.remove();
    },
    draw() {
      const map = this._map;
      const size = map.getSize();
      const scale = window.devicePixelRatio || 1;
      L.DomUtil.setPosition(this.canvas, map.containerPointToLayerPoint([0, 0]));
      this.canvas.width = size.x * scale;
      this.canvas.height = size.y * scale;
      Object.assign(this.canvas.style, { width: `${size.x}px`, height: `${size.y}px` });
      const context = this.canvas.getContext("2d");
      context.scale(scale, scale);
      context.font = "600 12px 'Be Vietnam Pro', sans-serif";
      context.textAlign = "center";
      context.textBaseline = "middle";
      context.lineJoin = "round";
      context.lineWidth = 3.5;
      context.strokeStyle = haidang.colour("halo");
      context.fillStyle = haidang.colour("label");
      const taken = [];
      const pixels = map.getZoomScale(map.getZoom(), 0) * 256 / 360;
      for (const { area, position, reach } of this.areas) {
        if (reach * pixels < 9) continue;
        const at = map.latLngToContainerPoint(position);
        const text = haidang.name(area.name).replace(/^(Phường|Xã|Quận|Huyện|Thị xã|Thị trấn|Thành phố|Đặc khu) /u, "")
          .replace(/ (Ward|Commune|Special Zone|District|Town|City)$/, "");
        const half = context.measureText(text).width / 2 + 3;
        if (half > reach * pixels * 2.4) continue;
        const box = [at.x - half, at.x + half, at.y - 9, at.y + 9];
        if (box[1] < 0 || box[0] > size.x || box[3] < 0 || box[2] > size.y) continue;
        if (taken.some((other) => box[0] < other[1] && other[0] < box[1] && box[2] < other[3] && other[2] < box[3])) continue;
        taken.push(box);
        context.strokeText(text, at.x, at.y);
        context.fillText(text, at.x, at.y);
      }
    },
  });
  haidang.labels = (areas) => new Labels(areas);
})();
