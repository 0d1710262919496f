"""What watches: rules, alert routes and dashboards as code, with the files generated from it."""
