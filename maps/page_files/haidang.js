/* The namespace of every page: data that scripts hand over, elements without markup in strings, state in the hash. */
"use strict";
(() => {
  const received = new Map();
  const waiting = new Map();
  const root = document.documentElement.dataset.root || "";

  function receive(name, value) {
    received.set(name, value);
    (waiting.get(name) || []).forEach((resolve) => resolve(value));
    waiting.delete(name);
  }

  /* Load a data script once. Scripts, unlike fetch, also work from a folder opened without a server. */
  function load(name) {
    if (received.has(name)) return Promise.resolve(received.get(name));
    return new Promise((resolve, reject) => {
      const others = waiting.get(name);
      if (others) return void others.push(resolve);
      waiting.set(name, [resolve]);
      const script = document.createElement("script");
      script.src = `${root}data/${encodeURIComponent(name)}.js`;
      script.onerror = () => { waiting.delete(name); reject(new Error(name)); };
      script.onload = () => script.remove();
      document.head.append(script);
    });
  }

  const site = () => received.get("site");
  const has = (name) => site().files.includes(name);
  const loadIf = (name) => (has(name) ? load(name) : Promise.resolve(null));

  /* Build an element. Text from data only ever becomes text. */
  function el(tag, attributes = {}, ...children) {
    const svg = ["svg", "path", "line", "rect", "text", "g", "circle", "title", "polyline", "desc"].includes(tag)
      && (tag !== "title" || attributes.svg);
    const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === null || value === undefined || value === false || name === "svg") continue;
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (name === "style") Object.assign(node.style, value);
      else node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
    return node;
  }

  /* A packed table: columns by name, numbered words given back as text. */
  function table(packed) {
    const words = packed.words;
    const names = Object.keys(packed.columns);
    return {
      count: packed.count,
      has: (name) => name in packed.columns,
      at(name, row) {
        const column = packed.columns[name];
        if (!column) return null;
        const value = column[row];
        return name in words ? (value < 0 ? null : words[name][value]) : value;
      },
      row(index) {
        const row = {};
        for (const name of names) row[name] = this.at(name, index);
        return row;
      },
      rows(keep = () => true) {
        const kept = [];
        for (let i = 0; i < packed.count; i += 1) {
          const row = this.row(i);
          if (keep(row)) kept.push(row);
        }
        return kept;
      },
    };
  }

  const hash = {
    read: () => Object.fromEntries(new URLSearchParams(location.hash.slice(1))),
    write(values) {
      const kept = Object.entries({ ...hash.read(), ...values }).filter(([, v]) => v !== null && v !== undefined && v !== "");
      history.replaceState(null, "", `#${new URLSearchParams(kept)}`);
    },
  };

  const memory = {
    get(key) { try { return localStorage.getItem(`haidang.${key}`); } catch { return null; } },
    set(key, value) { try { localStorage.setItem(`haidang.${key}`, value); } catch { /* private window: not kept */ } },
  };

  /* Dark or light before the first paint: this script is not deferred. */
  const theme = memory.get("theme");
  if (theme) document.documentElement.dataset.theme = theme;

  /* A colour of the style sheet, read once a theme: asked after a change, the browser lays out the whole page to answer. */
  const colours = new Map();
  const events = new EventTarget();
  const forget = () => colours.clear();
  events.addEventListener("theme", forget);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { forget(); events.dispatchEvent(new Event("theme")); });
  function colour(name) {
    if (!colours.has(name)) colours.set(name, getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim());
    return colours.get(name);
  }

  window.haidang = { receive, load, loadIf, has, site, el, table, hash, memory, root, events, colour };
})();
