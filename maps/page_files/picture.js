/* The result as a picture to share: drawn here, sent nowhere by us. */
"use strict";
(() => {
  const { t } = haidang;
  const LEVELS = { good: ["✓", "#1f6fa8"], fair: ["~", "#8a5a00"], poor: ["✗", "#b3211a"] };

  function draw(result) {
    const canvas = document.createElement("canvas");
    canvas.width = 1080;
    canvas.height = 1080;
    const pen = canvas.getContext("2d");
    const text = (words, x, y, size, colour = "#14222d", weight = 400, align = "left") => {
      pen.font = `${weight} ${size}px 'Be Vietnam Pro', sans-serif`;
      pen.fillStyle = colour;
      pen.textAlign = align;
      pen.fillText(words, x, y);
    };
    pen.fillStyle = "#f2f5f7";
    pen.fillRect(0, 0, 1080, 1080);
    pen.fillStyle = "#0b3c5d";
    pen.fillRect(0, 0, 1080, 150);
    text(t("brand"), 60, 97, 56, "#ffd166", 600);
    text(haidang.day(result.at), 1020, 93, 36, "#fff", 400, "right");
    [["test.down", result.down, 80], ["test.up", result.up, 580]].forEach(([key, value, x]) => {
      text(t(key), x, 240, 36, "#4b5b67");
      text(haidang.num(value, value < 100 ? 1 : 0), x, 350, 104, "#14222d", 600);
      text("Mbit/s", x, 405, 36, "#4b5b67");
    });
    text(`${t("test.idle")}: ${haidang.num(result.idle, 0)} ms`, 80, 500, 38);
    text(`${t("test.loaded")}: ${haidang.num(result.loaded, 0)} ms`, 580, 500, 38);
    haidang.meaning(result).forEach((use, index) => {
      const [mark, colour] = LEVELS[use.level];
      const y = 600 + index * 92;
      pen.fillStyle = "#fff";
      pen.fillRect(60, y - 54, 960, 78);
      text(mark, 90, y, 44, colour, 600);
      text(t(`use.${use.id}`), 160, y, 38, "#14222d", 600);
      text(t(`level.${use.level}`), 990, y, 36, colour, 600, "right");
    });
    text([result.operator, result.technology && haidang.technology(result.technology)].filter(Boolean).join(" · "), 60, 1030, 34, "#4b5b67");
    return canvas;
  }

  async function share(result) {
    await document.fonts.load("600 40px 'Be Vietnam Pro'");
    const blob = await new Promise((resolve) => { draw(result).toBlob(resolve, "image/png"); });
    const file = new File([blob], "hai-dang.png", { type: "image/png" });
    if (navigator.canShare?.({ files: [file] })) {
      await navigator.share({ files: [file], title: t("brand") }).catch(() => {});
      return;
    }
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = file.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  haidang.picture = { draw, share };
})();
