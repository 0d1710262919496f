"""How to show: folium layers, the static site, PNG, PDF."""
