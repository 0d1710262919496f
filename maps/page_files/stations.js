/* Base stations: dots on a canvas coloured by class, sectors as wedges once the map is close enough. */
"use strict";
(() => {
  const SECTOR_ZOOM = 13;
  const WEDGE_M = 220;

  function wedge(longitude, latitude, azimuth) {
    const points = [[latitude, longitude]];
    const metres = 111320;
    for (let bearing = azimuth - 30; bearing <= azimuth + 30; bearing += 10) {
      const angle = (bearing * Math.PI) / 180;
      points.push([
        latitude + (WEDGE_M * Math.cos(angle)) / metres,
        longitude + (WEDGE_M * Math.sin(angle)) / (metres * Math.cos((latitude * Math.PI) / 180)),
      ]);
    }
    return points;
  }

  function stationLayer(map, packed, onPick) {
    const registry = haidang.table(packed);
    const renderer = L.canvas({ padding: 0.3, pane: "stations" });
    const group = L.layerGroup();
    const sectors = L.layerGroup();
    const dots = [];
    for (let index = 0; index < registry.count; index += 1) {
      const at = [registry.at("latitude", index), registry.at("longitude", index)];
      const dot = L.circleMarker(at, { renderer, pane: "stations", radius: 4, weight: 1, bubblingMouseEvents: false });
      dot.on("click", () => onPick(index));
      dots.push(dot);
    }
    let look = () => null;
    /* Thousands of dots over a city are a texture, over a ward they are things to press. */
    const radius = () => Math.max(1.7, Math.min(6, 1.7 + (map.getZoom() - 9.5) * 0.85));

    function drawSectors() {
      sectors.clearLayers();
      if (!map.hasLayer(group) || map.getZoom() < SECTOR_ZOOM) return;
      const view = map.getBounds().pad(0.1);
      dots.forEach((dot, index) => {
        if (!group.hasLayer(dot) || !view.contains(dot.getLatLng())) return;
        const { lat, lng } = dot.getLatLng();
        (registry.at("azimuths", index) || []).forEach((azimuth) => sectors.addLayer(L.polygon(
          wedge(lng, lat, azimuth),
          { renderer, pane: "stations", weight: 1, color: dot.options.fillColor, fillColor: dot.options.fillColor, fillOpacity: 0.35, interactive: false },
        )));
      });
    }

    /* `lookOf(index)`: {colour, isThin} or null for a station that is not to be shown. */
    function paint(lookOf, picked) {
      look = lookOf;
      dots.forEach((dot, index) => {
        const wanted = look(index);
        if (!wanted) return void group.removeLayer(dot);
        Object.assign(dot.options, {
          fillColor: wanted.colour, fillOpacity: wanted.isThin ? 0.25 : 0.95,
          color: index === picked ? "#000" : "#22313b", weight: index === picked ? 3 : Math.min(0.9, radius() / 5),
        });
        dot.options.radius = dot._radius = index === picked ? 8 : radius();
        if (group.hasLayer(dot)) dot.redraw(); else group.addLayer(dot);
      });
      drawSectors();
    }
    map.on("moveend", drawSectors);
    map.on("zoomend", () => group.eachLayer((dot) => dot.setRadius(dot.options.weight === 3 ? 8 : radius())));
    group.on("add", () => { sectors.addTo(map); drawSectors(); });
    group.on("remove", () => sectors.remove());
    return { group, dots, registry, paint };
  }

  haidang.stationLayer = stationLayer;
})();
