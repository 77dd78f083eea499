"""The way back: what a nurse answered in a worklist becomes rows of chart_reviews."""
