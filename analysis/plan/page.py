"""A plan as one page for a phone in the field: no internet needed, every stop opens in the phone's navigation."""

from __future__ import annotations

from html import escape

import numpy as np
import polars as pl

_STYLE = """
:root{color-scheme:light dark;--ink:#16233a;--paper:#fff;--line:#d7dde8;--mark:#0b5fad}
@media(prefers-color-scheme:dark){:root{--ink:#e8edf6;--paper:#10161f;--line:#2c3645;--mark:#7ab8f5}}
*{box-sizing:border-box}body{margin:0 auto;max-width:42rem;padding:1rem;font:17px/1.45 system-ui,sans-serif;
color:var(--ink);background:var(--paper)}h1{font-size:1.35rem;margin:.2rem 0}p{margin:.3rem 0}
ol{list-style:none;padding:0;margin:1rem 0}
li{border:1px solid var(--line);border-radius:.7rem;padding:.8rem;margin:.6rem 0}
label{display:flex;gap:.7rem;align-items:flex-start}input{width:1.6rem;height:1.6rem;flex:none;margin:.1rem 0 0}
li:has(input:checked){opacity:.5}.n{font-weight:700;color:var(--mark)}.s{font-size:.9rem;opacity:.8}
a.go{display:inline-block;margin-top:.5rem;padding:.6rem 1rem;border-radius:.5rem;background:var(--mark);
color:var(--paper);text-decoration:none;font-weight:600}svg{width:100%;height:auto;border:1px solid var(--line);
border-radius:.7rem}html[data-l=en] .vi,html[data-l=vi] .en{display:none}
button{float:right;font:inherit;padding:.4rem .8rem;border-radius:.5rem;border:1px solid var(--line);
background:none;color:inherit}
"""
_SCRIPT = """
const h=document.documentElement;
document.querySelector('button').onclick=()=>{h.dataset.l=h.dataset.l==='vi'?'en':'vi';h.lang=h.dataset.l};
document.querySelectorAll('input').forEach(b=>{const k='haidang-'+b.id;try{b.checked=localStorage.getItem(k)==='1';
b.onchange=()=>localStorage.setItem(k,b.checked?'1':'0')}catch(e){}});
"""


def _both(vietnamese: str, english: str, tag: str = "span") -> str:
    return f'<{tag} class="vi" lang="vi">{vietnamese}</{tag}><{tag} class="en" lang="en">{english}</{tag}>'


def _sketch(plan: pl.DataFrame) -> str:
    """Draw the way as a sketch, north up."""
    x, y = plan["longitude_deg"].to_numpy(), plan["latitude_deg"].to_numpy()
    x = x * np.cos(np.radians(y.mean()))
    span = max(float(np.ptp(x)), float(np.ptp(y)), 1e-4)
    px, py = 20 + (x - x.min()) / span * 320, 20 + (y.max() - y) / span * 320
    width, height = 40 + float(np.ptp(x)) / span * 320, 40 + float(np.ptp(y)) / span * 320
    dots = "".join(
        f'<circle cx="{a:.1f}" cy="{b:.1f}" r="9" fill="var(--mark)"/>'
        f'<text x="{a:.1f}" y="{b + 3.5:.1f}" font-size="10" text-anchor="middle" fill="var(--paper)">{n}</text>'
        for n, (a, b) in enumerate(zip(px, py, strict=True), 1)
    )
    line = ""
    if plan["stop"].is_not_null().all():
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(px, py, strict=True))
        line = f'<polyline points="{path}" fill="none" stroke="var(--mark)" stroke-width="2" stroke-dasharray="5 4"/>'
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="Sơ đồ / Sketch" '
        f'style="max-height:45vh">{line}{dots}</svg>'
    )


def _stop(row: dict[str, object]) -> str:
    number = row["stop"] or row["rank"]
    go = f"geo:{row['latitude_deg']},{row['longitude_deg']}?q={row['latitude_deg']},{row['longitude_deg']}"
    hour = f" · {row['hour']:02d}:00" if row["hour"] is not None else ""
    facts = f"{row['tests']} × ({escape(str(row['operator']))}) {escape(str(row['technology']).upper())}{hour}"
    return (
        f'<li><label><input type="checkbox" id="{row["target"]}"><span><span class="n">{number}.</span> '
        f"<b>{escape(str(row['name']))}</b><br>{_both(escape(str(row['reason_vi'])), escape(str(row['reason_en'])))}"
        f'<br><span class="s">{facts} · {row["minutes"]:.0f} '
        f"{_both('phút', 'min')} · {row['latitude_deg']:.5f}, {row['longitude_deg']:.5f}</span></span></label>"
        f'<a class="go" href="{go}">{_both("Chỉ đường", "Navigate")}</a></li>'
    )


def page(plan: pl.DataFrame) -> str:
    """Return the page; Vietnamese first, English at a touch."""
    total = float(plan["minutes"].sum()) if plan.height else 0.0
    simulated = bool(plan["is_simulated"].any()) if plan.height else False
    note = _both("Dữ liệu mô phỏng.", "Simulated data.", "p") if simulated else ""
    body = _sketch(plan) if plan.height else _both("Không có gì để đo.", "Nothing to measure.", "p")
    stops = "".join(_stop(row) for row in plan.iter_rows(named=True))
    count = _both(
        f"{plan.height} điểm, khoảng {total:.0f} phút", f"{plan.height} stops, about {total:.0f} minutes", "p"
    )
    return (
        '<!doctype html><html lang="vi" data-l="vi"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><title>Hải Đăng</title>'
        f"<style>{_STYLE}</style></head><body><button>VI / EN</button>"
        f"<h1>{_both('Kế hoạch đo tiếp theo', 'Where to measure next')}</h1>{count}{note}{body}<ol>{stops}</ol>"
        f"<script>{_SCRIPT}</script></body></html>\n"
    )
