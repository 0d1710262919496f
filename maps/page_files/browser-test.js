/* The citizen's test: M-Lab's ndt7 against our peer, latency idle and under load, the meaning, and consent to report. */
"use strict";
(() => {
  const { el, t, memory } = haidang;
  const OPERATORS = ["Viettel", "VinaPhone", "MobiFone", "Vietnamobile"];
  const TECHNOLOGIES = ["nr_nsa", "lte", "wifi", "ethernet"];
  const MARKS = { good: "✓", fair: "~", poor: "✗" };
  const KEPT = 50;
  let settings = null;
  let last = null;
  let isRunning = false;
  const chosen = { operator: memory.get("operator") || "", technology: memory.get("technology") || "" };

  const history = () => { try { return JSON.parse(memory.get("history") || "[]"); } catch { return []; } };

  async function findSettings() {
    const site = haidang.site();
    const found = { peer_url: site.peer_url, collector_url: site.collector_url };
    if (location.protocol !== "file:") {
      const said = await fetch("settings.json", { cache: "no-store" }).then((reply) => (reply.ok ? reply.json() : {})).catch(() => ({}));
      for (const name of ["peer_url", "collector_url"]) if (typeof said[name] === "string") found[name] = said[name];
    }
    return { peer_url: found.peer_url ? found.peer_url.replace(/\/$/, "") : null, collector_url: (found.collector_url || location.origin).replace(/\/$/, "") };
  }

  function show(direction, megabits) {
    const node = document.getElementById(`live-${direction}`);
    if (node) node.textContent = haidang.num(megabits, megabits < 100 ? 1 : 0);
  }
  function step(key) { document.getElementById("step").textContent = key ? t(key) : ""; }

  /* One direction by M-Lab's library. The rate counted where the bytes arrive: here for downlink, at the peer for uplink. */
  async function direction(name) {
    const stop = haidang.pings.loaded(settings.peer_url);
    const address = new URL(settings.peer_url);
    const config = {
      server: address.host + address.pathname.replace(/\/$/, ""), protocol: address.protocol === "https:" ? "wss" : "ws",
      mlabDataPolicyInapplicable: true, // our own peer, not M-Lab's
      downloadworkerfile: "../assets/ndt7/ndt7-download-worker.js", uploadworkerfile: "../assets/ndt7/ndt7-upload-worker.js",
      metadata: { client_name: "haidang-browser", client_version: "0.1.0" },
    };
    let way = null;
    let failure = null;
    const take = (bytes, seconds) => {
      if (!(seconds > 0.2) || !(bytes > 0)) return;
      way = { bps: (8 * bytes) / seconds, bytes, seconds };
      show(name, way.bps / 1e6);
    };
    const callbacks = { error: (error) => { failure = String(error); } };
    if (name === "downlink") {
      callbacks.downloadMeasurement = ({ Source, Data }) => { if (Source === "client") take(Data.NumBytes, Data.ElapsedTime); };
      await ndt7.downloadTest(config, callbacks, ndt7.discoverServerURLs(config, callbacks));
    } else {
      callbacks.uploadMeasurement = ({ Source, Data }) => {
        const info = Source === "server" && (Data.TCPInfo || Data.AppInfo);
        if (info) take(info.BytesReceived ?? info.NumBytes, info.ElapsedTime / 1e6);
        else if (!way && Source === "client") show(name, Data.MeanClientMbps);
      };
      await ndt7.uploadTest(config, callbacks, ndt7.discoverServerURLs(config, callbacks));
    }
    return { way, failure, pings: await stop() };
  }

  async function run() {
    isRunning = true;
    draw();
    const at = Date.now();
    step("test.step.idle");
    const idle = await haidang.pings.idle(settings.peer_url);
    if (!idle.received) { isRunning = false; last = { failure: t("test.unreachable", { peer: settings.peer_url }) }; draw(); return; }
    step("test.step.downlink");
    const down = await direction("downlink");
    step("test.step.uplink");
    const up = await direction("uplink");
    isRunning = false;
    if (!down.way && !up.way) { last = { failure: t("test.failed", { reason: down.failure || up.failure || "?" }) }; draw(); return; }
    last = {
      at: new Date(at).toISOString(), duration: Date.now() - at, peer: settings.peer_url, operator: chosen.operator, technology: chosen.technology,
      down: down.way ? down.way.bps / 1e6 : null, up: up.way ? up.way.bps / 1e6 : null, idle: idle.median, jitter: idle.ipdv,
      loaded: Math.max(down.pings.median ?? 0, up.pings.median ?? 0) || null,
      ways: { downlink: down.way, uplink: up.way }, pings: { idle, downlink: down.pings, uplink: up.pings },
    };
    const { ways, pings, ...kept } = last;
    memory.set("history", JSON.stringify([kept, ...history()].slice(0, KEPT)));
    draw();
    document.getElementById("result")?.focus();
  }

  function pick(id, label, options, value) {
    const node = el("select", { id, disabled: isRunning, onchange: () => { chosen[id] = node.value; memory.set(id, node.value); if (last && !last.failure) last[id] = node.value; } },
      el("option", { value: "" }, t("test.choose")), options.map(([word, text]) => el("option", { value: word, selected: word === value }, text)));
    return el("div", { class: "field" }, el("label", { for: id }, label), node);
  }

  function gauges() {
    const gauge = (name, key, value) => el("div", { class: "gauge" }, el("span", {}, t(key)), el("strong", { id: `live-${name}` }, value === null || value === undefined ? "–" : haidang.num(value, value < 100 ? 1 : 0)), el("span", {}, "Mbit/s"));
    return el("div", { class: "gauges" }, gauge("downlink", "test.down", last?.down), gauge("uplink", "test.up", last?.up));
  }

  function outcome() {
    if (!last || isRunning) return null;
    if (last.failure) return el("p", { class: "empty", role: "alert" }, last.failure);
    const delay = (key, value) => el("div", {}, el("dt", {}, t(key)), el("dd", {}, value === null ? "–" : `${haidang.num(value, value < 10 ? 1 : 0)}\u00a0ms`));
    return el("section", { id: "result", tabindex: -1 }, el("h2", {}, t("test.meaning")),
      el("ul", { class: "uses" }, haidang.meaning(last).map((use) => el("li", { class: use.level }, el("span", { class: "mark", "aria-hidden": "true" }, MARKS[use.level]), el("span", {}, el("strong", {}, t(`use.${use.id}`)), el("span", { class: "hint" }, t(`use.${use.id}.${use.level}`))), el("span", { class: "level" }, t(`level.${use.level}`))))),
      el("dl", { class: "cards" }, delay("test.idle", last.idle), delay("test.loaded", last.loaded), delay("test.jitter", last.jitter)),
      el("p", { class: "hint" }, t("test.loaded.note")),
      el("button", { type: "button", class: "quiet", onclick: () => haidang.picture.share(last) }, t("test.share")));
  }

  function consent() {
    if (!last || last.failure || isRunning) return null;
    const place = el("input", { type: "checkbox", id: "with-place", checked: true });
    const said = el("p", { role: "status", id: "sent" });
    const button = el("button", { type: "button", class: "primary", onclick: async () => {
      button.disabled = true;
      said.textContent = t("test.sending");
      try {
        const answer = await haidang.report.send(last, settings, place.checked ? await haidang.report.position() : null);
        said.textContent = answer.ok ? t("test.sent") : t("test.not_sent", { reason: answer.reason });
        button.disabled = answer.ok;
      } catch (error) {
        said.textContent = t("test.not_sent", { reason: error.message });
        button.disabled = false;
      }
    } }, t("test.send"));
    return el("section", {}, el("h2", {}, t("test.consent")), el("p", {}, t("test.consent.text")), el("p", {}, el("label", {}, place, " ", t("test.consent.place"))), button, said);
  }

  function past() {
    const rows = history();
    if (!rows.length) return null;
    return el("section", {}, el("h2", {}, t("test.history")), haidang.sortable(t("test.history.caption"), [
      { key: "at", label: t("test.when"), isHeading: true, value: (row) => row.at, cell: (row) => new Intl.DateTimeFormat(haidang.locale(), { dateStyle: "short", timeStyle: "short" }).format(new Date(row.at)) },
      { key: "operator", label: t("operator.label"), value: (row) => row.operator || null },
      { key: "down", label: t("test.down"), number: true, value: (row) => row.down, cell: (row) => haidang.num(row.down, 1) },
      { key: "up", label: t("test.up"), number: true, value: (row) => row.up, cell: (row) => haidang.num(row.up, 1) },
      { key: "idle", label: t("test.idle"), number: true, value: (row) => row.idle, cell: (row) => haidang.num(row.idle, 0) },
      { key: "loaded", label: t("test.loaded"), number: true, value: (row) => row.loaded, cell: (row) => haidang.num(row.loaded, 0) },
    ], rows, { sortBy: "at", limit: 10 }), el("button", { type: "button", class: "quiet", onclick: () => { memory.set("history", "[]"); draw(); } }, t("test.history.clear")));
  }

  function draw() {
    document.title = `${t("test.title")} – ${t("brand")}`;
    const isReady = Boolean(settings?.peer_url) && Boolean(window.WebSocket);
    document.getElementById("content").replaceChildren(...[
      el("section", { class: "tester" }, el("p", {}, t("test.intro")),
        el("div", { class: "fields" }, pick("operator", t("operator.label"), OPERATORS.map((word) => [word, word]), chosen.operator), pick("technology", t("technology.label"), TECHNOLOGIES.map((word) => [word, t(`test.technology.${word}`)]), chosen.technology)),
        gauges(),
        el("button", { type: "button", id: "start", class: "primary big", disabled: isRunning || !isReady, onclick: run }, t(isRunning ? "test.running" : last ? "test.again" : "test.start")),
        el("p", { id: "step", class: "status", role: "status", "aria-live": "polite" }, isReady ? "" : t("test.no_peer")),
        el("p", { class: "hint" }, t("test.data_use"))),
      outcome(), consent(), past(),
    ].filter(Boolean));
  }

  window.addEventListener("DOMContentLoaded", async () => {
    settings = await findSettings();
    draw();
    document.documentElement.dataset.ready = "1";
    haidang.events.addEventListener("language", () => { if (!isRunning) draw(); });
  });
})();
