/* What the figures mean for a person: one row a use, two limits each (good, fair). */
"use strict";
(() => {
  /* down and up in Mbit/s, at least; idle and loaded latency and jitter in ms, at most. */
  const USES = [
    { id: "call", good: { down: 0.3, up: 0.3, loaded: 200, jitter: 30 }, fair: { down: 0.1, up: 0.1, loaded: 400, jitter: 60 } },
    { id: "video", good: { down: 25 }, fair: { down: 5 } },
    { id: "learning", good: { down: 4, up: 3, loaded: 200, jitter: 30 }, fair: { down: 1.5, up: 1, loaded: 400, jitter: 60 } },
    { id: "gaming", good: { down: 3, idle: 50, loaded: 100, jitter: 15 }, fair: { down: 1, idle: 100, loaded: 200, jitter: 30 } },
  ];
  const AT_LEAST = ["down", "up"];

  function meets(result, limits) {
    return Object.entries(limits).every(([name, limit]) => {
      const value = result[name];
      if (value === null || value === undefined) return false;
      return AT_LEAST.includes(name) ? value >= limit : value <= limit;
    });
  }

  const level = (result, use) => (meets(result, use.good) ? "good" : meets(result, use.fair) ? "fair" : "poor");
  haidang.meaning = (result) => USES.map((use) => ({ id: use.id, level: level(result, use) }));
})();
