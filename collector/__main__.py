"""`python -m collector` is `haidang-collector`."""

from collector.cli import main

main()
