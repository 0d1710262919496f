"""Open data: hexagon × month × operator × technology under the floors of publishing, with dictionary and metadata."""
