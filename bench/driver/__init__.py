"""The parts of bench/run: catalogue (what there is), measuring, text reports, and the HTML page."""
