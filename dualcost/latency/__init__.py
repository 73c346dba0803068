"""How long ops take on a machine, as a calibration of it predicts."""
