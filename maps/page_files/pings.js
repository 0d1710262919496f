/* Round trips to the peer over HTTP, idle and while ndt7 fills the line. */
"use strict";
(() => {
  const GIVE_UP_MS = 4000;

  /* One round trip: request to first byte on an open connection, by the browser's own clock of the transfer. */
  async function ping(peer) {
    const url = `${peer}/healthz?${crypto.randomUUID()}`;
    const started = performance.now();
    try {
      const reply = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(GIVE_UP_MS) });
      await reply.text();
      const measured = performance.now() - started;
      const entry = performance.getEntriesByName(url)[0];
      performance.clearResourceTimings();
      if (!reply.ok) return null;
      const fromTransfer = entry && entry.requestStart > 0 ? entry.responseStart - entry.requestStart : 0;
      return fromTransfer > 0 ? fromTransfer : measured;
    } catch {
      return null;
    }
  }

  const pause = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });
  /* Memoryless waits do not beat with anything periodic in the network. */
  const wait = (mean) => Math.min(4 * mean, -mean * Math.log(1 - Math.random()));

  function summary(sent, trips) {
    const sorted = [...trips].sort((a, b) => a - b);
    const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
    const mean = (list) => (list.length ? list.reduce((sum, each) => sum + each, 0) / list.length : null);
    const differences = trips.slice(1).map((each, index) => Math.abs(each - trips[index]));
    if (!sorted.length) return { sent, received: 0 };
    return { sent, received: trips.length, min: sorted[0], median: at(0.5), mean: mean(trips), p95: at(0.95), ipdv: mean(differences) };
  }

  async function idle(peer, count = 12) {
    await ping(peer); // opens the connection; not counted
    const trips = [];
    for (let sent = 0; sent < count; sent += 1) {
      const trip = await ping(peer);
      if (trip !== null) trips.push(trip);
      await pause(wait(120));
    }
    return summary(count, trips);
  }

  /* Ping until `stop` is called; it returns the summary. The first second belongs to the line filling up. */
  function loaded(peer) {
    const trips = [];
    let sent = 0;
    let isRunning = true;
    const done = (async () => {
      await pause(1000);
      while (isRunning) {
        sent += 1;
        const trip = await ping(peer);
        if (trip !== null) trips.push(trip);
        await pause(wait(150));
      }
    })();
    return async () => { isRunning = false; await done; return summary(sent, trips); };
  }

  Object.assign(haidang, { pings: { idle, loaded, summary } });
})();
