"""From a checkpoint to a verified bundle: graphs, calibration, quantisation, gate."""
