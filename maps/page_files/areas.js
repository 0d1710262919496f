/* Areas as SVG shapes: coloured by class, dashed where the evidence is too thin. */
"use strict";
(() => {
  const QUANTUM = 1e-5;

  function ring(steps) {
    const points = [];
    let x = 0;
    let y = 0;
    for (let i = 0; i < steps.length; i += 2) {
      x += steps[i];
      y += steps[i + 1];
      points.push([y * QUANTUM, x * QUANTUM]);
    }
    return points;
  }

  /* Build the shapes of a layer; `onPick(index)` answers a click. */
  function areaLayer(layer, onPick) {
    const renderer = L.svg({ padding: 0.3, pane: "areas" });
    const group = L.featureGroup();
    const shapes = layer.areas.map((area, index) => {
      const shape = L.polygon(area.polygons.map((polygon) => polygon.map(ring)), { renderer, pane: "areas", weight: 1, bubblingMouseEvents: false });
      shape.on("click", (event) => onPick(index, event.latlng));
      shape.bindTooltip(() => haidang.name(area.name), { sticky: true, className: "area-tip" });
      group.addLayer(shape);
      return shape;
    });

    const painted = []; // what each shape shows: only those that change are drawn anew
    /* `look(index)` returns {colour, opacity, isThin}. */
    function paint(look, picked) {
      const [ink, edge] = [haidang.colour("ink"), haidang.colour("edge")];
      shapes.forEach((shape, index) => {
        const { colour, opacity, isThin } = look(index);
        const isPicked = index === picked;
        const wanted = `${colour} ${opacity} ${isThin} ${isPicked} ${edge}`;
        if (wanted === painted[index]) return;
        painted[index] = wanted;
        shape.setStyle({
          color: isPicked ? ink : edge,
          weight: isPicked ? 3 : 1,
          dashArray: isThin && !isPicked ? "4 4" : null,
          fillColor: colour,
          fillOpacity: opacity,
        });
        if (isPicked) shape.bringToFront();
      });
    }
    return { group, shapes, paint, layer };
  }

  /* Land below everything: what is not land is sea. Its box is far wider than the city, so its straight edges stay out of sight. */
  function landLayer(map, land) {
    map.createPane("land").style.zIndex = 380;
    map.getPane("land").style.pointerEvents = "none";
    return L.polygon(land.polygons.map((polygon) => polygon.map(ring)), {
      renderer: L.canvas({ padding: 0.5, pane: "land" }), pane: "land", interactive: false, attribution: land.attribution, ...landStyle(),
    });
  }
  const landStyle = () => ({ weight: 0.8, color: haidang.colour("shore"), fillColor: haidang.colour("ground-land"), fillOpacity: 1 });

  Object.assign(haidang, { landLayer, landStyle });
  haidang.areaLayer = areaLayer;
})();
