/* A browser's result as a record, sent only with consent: position to about 100 m, no name, no address. */
"use strict";
(() => {
  const { memory } = haidang;
  const COARSE = 1000; // three decimals

  function uuid7(now) {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    for (let i = 0; i < 6; i += 1) bytes[i] = Math.floor(now / 2 ** (8 * (5 - i))) & 255;
    bytes[6] = 0x70 | (bytes[6] & 0x0f);
    bytes[8] = 0x80 | (bytes[8] & 0x3f);
    const text = [...bytes].map((each) => each.toString(16).padStart(2, "0")).join("");
    return `${text.slice(0, 8)}-${text.slice(8, 12)}-${text.slice(12, 16)}-${text.slice(16, 20)}-${text.slice(20)}`;
  }

  function browserId() {
    const held = memory.get("browser");
    if (held) return held;
    const fresh = `browser-${crypto.randomUUID().slice(0, 13)}`;
    memory.set("browser", fresh);
    return fresh;
  }

  /* Ask where the phone is; null where the person says no or the phone does not know. */
  function position() {
    return new Promise((resolve) => {
      if (!navigator.geolocation) return void resolve(null);
      navigator.geolocation.getCurrentPosition(({ coords }) => resolve({
        longitude_deg: Math.round(coords.longitude * COARSE) / COARSE,
        latitude_deg: Math.round(coords.latitude * COARSE) / COARSE,
        accuracy_m: Math.max(100, Math.round(coords.accuracy)),
        source: "browser",
      }), () => resolve(null), { timeout: 10000, maximumAge: 60000, enableHighAccuracy: true });
    });
  }

  const known = (values) => Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== ""));

  function latency(pings) {
    if (!pings || !pings.sent) return undefined;
    return known({
      method: "http", sent_count: pings.sent, received_count: pings.received, rtt_min_ms: pings.min, rtt_median_ms: pings.median,
      rtt_mean_ms: pings.mean, rtt_p95_ms: pings.p95, ipdv_mean_ms: pings.ipdv,
    });
  }

  const throughput = (way) => (way ? { method: "ndt7", goodput_bps: Math.round(way.bps), bytes_count: Math.round(way.bytes), duration_ms: Math.round(way.seconds * 1000), stream_count: 1 } : undefined);

  function record(result, place) {
    const started = new Date(result.at);
    const rpm = result.pings.downlink?.mean ? { rpm: Math.round(60000 / result.pings.downlink.mean), confidence: "low" } : undefined;
    return known({
      record_id: uuid7(started.getTime()), schema_version: 1, probe_id: browserId(), agent: "haidang-browser/0.1.0", mode: "browser",
      started_at: started.toISOString(), duration_ms: Math.round(result.duration),
      outcome: result.ways.downlink && result.ways.uplink ? { status: "complete" } : { status: "partial" },
      position: place || undefined,
      network: known({ operator: result.operator, technology: result.technology }),
      latency: known({ idle: latency(result.pings.idle), downlink: latency(result.pings.downlink), uplink: latency(result.pings.uplink) }),
      throughput: known({ downlink: throughput(result.ways.downlink), uplink: throughput(result.ways.uplink) }),
      responsiveness: rpm ? { downlink: rpm } : undefined,
      server: { host: new URL(result.peer).host },
    });
  }

  /* Send one result; `false` with the server's reason where it was not taken. */
  async function send(result, settings, place) {
    const granted = await fetch(`${settings.peer_url}/v1/ticket`, { cache: "no-store" });
    if (!granted.ok) return { ok: false, reason: `${granted.status}` };
    const { ticket } = await granted.json();
    const answer = await fetch(`${settings.collector_url}/v1/browser-records`, {
      method: "POST", headers: { "Content-Type": "application/json", "Haidang-Ticket": ticket }, body: JSON.stringify(record(result, place)),
    });
    const said = await answer.json().catch(() => ({}));
    const rejected = said.rejected?.[0];
    if (!answer.ok || rejected) return { ok: false, reason: rejected ? `${rejected.path}: ${rejected.reason}` : said.detail || String(answer.status) };
    return { ok: true, id: said.accepted?.[0] };
  }

  Object.assign(haidang, { report: { position, record, send, uuid7 } });
})();
