/* Texts, numbers and dates of two languages; the switch; dark and light. */
"use strict";
(() => {
  const { hash, memory, events } = haidang;
  let texts = { vi: {}, en: {} };
  let code = "vi";

  function t(key, values = {}) {
    const found = texts[code][key];
    if (found === undefined) throw new Error(`No text ${key} in ${code}`);
    return found.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
  }

  const locale = () => (code === "vi" ? "vi-VN" : "en-GB");

  /* Making a number format takes longer than a hundred uses of it. */
  const writers = new Map();
  function writer(digits) {
    const key = `${code} ${digits}`;
    if (!writers.has(key)) writers.set(key, new Intl.NumberFormat(locale(), { minimumFractionDigits: digits, maximumFractionDigits: digits }));
    return writers.get(key);
  }

  function num(value, digits = 0) {
    if (value === null || value === undefined || Number.isNaN(value)) return "–";
    return writer(digits).format(value).replace("-", "\u2212");
  }

  const spaced = (unit) => (unit === "%" || !unit ? unit : `\u00a0${unit}`);

  /* A figure of a KPI with its unit; few digits where the number is large. */
  function figure(kpi, value, withUnit = true) {
    if (value === null || value === undefined) return "–";
    const digits = Math.abs(value) >= 100 ? 0 : kpi.digits;
    return num(value, digits) + (withUnit ? spaced(kpi.unit) : "");
  }

  function range(kpi, low, high) {
    if (low === null || low === undefined || high === null || high === undefined) return "–";
    return `${figure(kpi, low, false)}\u2009${low < 0 ? "…" : "–"}\u2009${figure(kpi, high)}`;
  }

  function period(word) {
    if (word === haidang.site().whole) return t("period.all");
    const [year, month] = word.split("-").map(Number);
    if (!month) return word;
    if (code === "vi") return `tháng\u00a0${month}/${year}`;
    return new Intl.DateTimeFormat("en-GB", { year: "numeric", month: "long" }).format(new Date(year, month - 1, 1));
  }

  function day(iso) {
    const [year, month, date] = iso.slice(0, 10).split("-").map(Number);
    return new Intl.DateTimeFormat(locale(), { day: "numeric", month: "numeric", year: "numeric" })
      .format(new Date(year, month - 1, date));
  }

  const operator = (word) => (word === haidang.site().all ? t("operator.all") : word);
  const technology = (word) => (word === haidang.site().all ? t("technology.all") : (texts[code][`technology.${word}`] ?? word));
  const title = (kpi) => kpi.title[code];
  const name = (names) => names[code] || names.vi || names.en;
  const kpiOf = (id) => haidang.site().kpis.find((kpi) => kpi.id === id);

  /* Class 0 (poor) to 4 (good) of a value; null where there is none. */
  function classOf(kpi, tech, value) {
    if (value === null || value === undefined) return null;
    const breaks = kpi.breaks[tech] || kpi.breaks["*"];
    const rising = breaks[0] <= breaks[3];
    return breaks.filter((edge) => (rising ? value >= edge : value <= edge)).length;
  }

  /* The class of a row: its grade where it has one (a grade may be capped below its score), else by its value. */
  function rowClass(kpi, tech, row) {
    const graded = kpi.id === "score" && row.grade ? haidang.site().grades.indexOf(row.grade) : -1;
    return graded >= 0 ? graded : classOf(kpi, tech, row.value);
  }

  /* The statistic a KPI is shown by: given one of its rows' words, the same word where it is that statistic. */
  const MEANS = ["loss"]; // the median of losses is 0 nearly everywhere
  function statisticOf(id, word = "median") {
    if (id === "score") return "score";
    if (MEANS.includes(id)) return "mean";
    return word === "share" ? "share" : "median";
  }

  function applyTexts() {
    document.documentElement.lang = code;
    document.querySelectorAll("[data-text]").forEach((node) => { node.textContent = t(node.dataset.text); });
    document.querySelectorAll("[data-label]").forEach((node) => node.setAttribute("aria-label", t(node.dataset.label)));
    const button = document.getElementById("switch-language");
    button.textContent = t("language.other");
    button.lang = code === "vi" ? "en" : "vi";
  }

  function use(wanted, isChosen) {
    code = wanted;
    if (isChosen) { memory.set("language", code); hash.write({ lang: code }); }
    applyTexts();
    events.dispatchEvent(new Event("language"));
  }

  function begin(loaded) {
    texts = loaded;
    const asked = [hash.read().lang, memory.get("language"), (navigator.language || "").slice(0, 2), "vi"];
    code = asked.find((each) => each === "vi" || each === "en");
    applyTexts();
    document.getElementById("switch-language").addEventListener("click", () => use(code === "vi" ? "en" : "vi", true));
    document.getElementById("switch-theme").addEventListener("click", () => {
      const dark = document.documentElement.dataset.theme
        ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
      document.documentElement.dataset.theme = dark ? "light" : "dark";
      memory.set("theme", document.documentElement.dataset.theme);
      events.dispatchEvent(new Event("theme"));
    });
  }

  const receive = haidang.receive;
  haidang.receive = (key, value) => { receive(key, value); if (key === "language") begin(value); };
  const hasText = (key) => key in texts[code];

  /* Columns of findings whose names have a text get it; a new column shows its own name rather than nothing. */
  const columnTitle = (column) => (hasText(`column.${column}`) ? t(`column.${column}`) : column.replaceAll("_", " "));

  function cellText(column, value) {
    if (value === null || value === undefined) return "–";
    if (typeof value === "boolean") return t(value ? "word.yes" : "word.no");
    if (typeof value === "number") {
      if (column.endsWith("_ratio") || column.endsWith("_share") || column === "availability") return `${num(value * 100, 1)}%`;
      return num(value, Number.isInteger(value) ? 0 : Math.abs(value) < 10 ? 2 : 1);
    }
    if (/^\d{4}-\d{2}-\d{2}/.test(value)) return day(value);
    if (column === "kpi") { const kpi = kpiOf(value); return kpi ? title(kpi) : value; }
    if (column === "technology") return technology(value);
    if (column === "operator") return operator(value);
    return hasText(`word.${value}`) ? t(`word.${value}`) : value;
  }

  Object.assign(haidang, {
    rowClass, statisticOf, hasText, columnTitle, cellText, t, num, figure, range, period, day, operator, technology, title, name, kpiOf, classOf, locale, language: () => code,
  });
})();
